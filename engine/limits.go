package engine

import "time"

// Limits that every engine enforces; they are FoundationDB's.
// Source: apple/foundationdb documentation/sphinx/source/known-limitations.rst.
const (
	// MaxKeySize is the longest key, in bytes.
	MaxKeySize = 10_000
	// MaxValueSize is the longest value or operand, in bytes. For the
	// versionstamped operations the 4 bytes of offset count.
	MaxValueSize = 100_000
	// MaxTransactionSize bounds the bytes of all mutations and conflict ranges
	// of a transaction.
	MaxTransactionSize = 10_000_000
	// MaxTransactionAge is how long after its first read a transaction can read
	// and commit; after that it fails with ErrTooOld.
	MaxTransactionAge = 5 * time.Second
)
