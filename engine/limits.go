package engine

import "time"

// The limits that every engine enforces; they are FoundationDB's. Source:
// apple/foundationdb documentation/sphinx/source/known-limitations.rst.
const (
	// MaxKeySize is the maximum length of a key, in bytes.
	MaxKeySize = 10_000
	// MaxValueSize is the maximum length of a value or operand, in bytes. It
	// includes the 4-byte offset of the versionstamped operations.
	MaxValueSize = 100_000
	// MaxTransactionSize is the maximum size of a transaction, in bytes: all its
	// mutations and conflict ranges.
	MaxTransactionSize = 10_000_000
	// MaxTransactionAge is how long after its first read a transaction can read
	// and commit; later it fails with ErrTooOld.
	MaxTransactionAge = 5 * time.Second
)
