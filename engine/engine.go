package engine

import (
	"bytes"
	"context"
)

// Engine is an open database. Its methods may be called from any number of
// goroutines.
type Engine interface {
	// Begin starts a transaction that lives under ctx: when ctx ends, every call
	// on the transaction that waits, or will wait, returns an error that wraps
	// ctx's. Begin does not block and does not fail; if something is wrong with
	// the engine, the first read or Commit reports it.
	//
	// The caller ends the transaction with Commit or Cancel.
	Begin(ctx context.Context) Transaction

	// Prefix is what the caller puts before every key it builds. It is empty when
	// the whole database is the caller's. The engine does not add it. The slice
	// must not be modified.
	Prefix() []byte

	// String names the engine and the place of its data, for people.
	String() string

	// Close waits for commits under way, ends watches, and releases the database.
	// Transactions still open fail with ErrClosed. A second Close returns
	// ErrClosed.
	Close() error
}

// Reader reads at the read version of a transaction. Reads start when they are
// called, so that many can be under way before the first result is awaited.
//
// Keys and ranges passed in must not be modified afterwards. Results belong to
// the caller; the keys and values of one page may share memory.
type Reader interface {
	// Get reads one key. The future yields nil when the key is absent, and an
	// empty, non-nil slice when the value is empty. A failed read makes the commit
	// fail too.
	Get(key []byte) Future[[]byte]

	// GetRange reads the keys in [r.Begin, r.End) in order.
	GetRange(r Range, o RangeOptions) Future[Page]
}

// Transaction is one attempt at a unit of work or, after OnError, the next
// attempt. Its reads may be started and awaited from several goroutines; all
// other methods belong to one goroutine at a time.
//
// A transaction keeps the keys, values and operands passed to it without copying
// them: they must not be modified afterwards. Writes do not fail where they are
// made; a key, value or operand that is out of bounds makes Commit fail with an
// error that names it.
type Transaction interface {
	// Reader is the serializable view: everything it reads, including the absence
	// of keys in a range, becomes part of the read conflict ranges.
	Reader

	// Snapshot returns the same view without read conflicts.
	Snapshot() Reader

	// ReadVersion returns the version that reads see, chosen at the first read or
	// by this call. It is at least the version of every commit acknowledged to
	// anybody before it was chosen.
	ReadVersion() Future[int64]

	// Set writes a key.
	Set(key, value []byte)

	// Clear removes a key, if it is present.
	Clear(key []byte)

	// ClearRange removes every key in [r.Begin, r.End).
	ClearRange(r Range)

	// Atomic changes a key without reading it; see Op.
	Atomic(op Op, key, operand []byte)

	// AddReadConflict makes the commit fail with ErrConflict if another
	// transaction writes into r after this one's read version, as if r had been
	// read. Keys that this transaction has already set or cleared are left out. A
	// transaction that has read nothing yet gets its read version at Commit: then
	// AddReadConflict alone protects nothing.
	AddReadConflict(r Range)

	// AddWriteConflict makes other transactions that read r conflict with this
	// one, as if it had written r.
	AddWriteConflict(r Range)

	// Watch returns a watch that becomes active when the transaction commits,
	// whether or not it writes. It then fires when key no longer has the value
	// that this transaction saw or wrote. It outlives the transaction. A watch
	// fails if its transaction is cancelled or does not commit.
	Watch(key []byte) Watch

	// Versionstamp must be called before Commit, which resolves the future. It
	// fails with ErrNoCommitVersion when the transaction wrote nothing. A future
	// from an earlier attempt is worthless after OnError.
	Versionstamp() Future[Stamp]

	// Size approximates the bytes that the commit would carry: keys, values and
	// conflict ranges.
	Size() int64

	// Commit makes all writes durable and visible at once, or none of them. The
	// error says which, unless MaybeCommitted holds for it. When Commit returns
	// nil the transaction is over.
	Commit() error

	// OnError decides what to do about an error of this transaction. If trying
	// again can help, it resets the transaction for another attempt and returns
	// nil after a pause; otherwise it returns err, or ctx's error.
	OnError(err error) error

	// Cancel gives up the transaction and releases what it holds. It does nothing
	// after Commit has returned nil, or when called again.
	Cancel()
}

// Future is the result of an operation under way.
type Future[T any] interface {
	// Get waits for the result. It may be called more than once, from any
	// goroutine, and always returns the same result.
	Get() (T, error)
}

// Watch reports that a key has changed. It may fire without a change, it may miss
// a change that was undone, and it may fail; each of these means "look again".
type Watch interface {
	// Wait returns nil when the watch has fired, the watch's error when it has
	// failed, or ctx's error.
	Wait(ctx context.Context) error

	// Cancel releases the watch. A Wait under way returns ErrCancelled.
	Cancel()
}

// Range is the keys k with Begin <= k < End. It is empty if End is at or before
// Begin.
type Range struct {
	Begin, End []byte
}

// KeyRange returns the range that holds key alone.
func KeyRange(key []byte) Range {
	end := make([]byte, len(key)+1)
	copy(end, key)
	return Range{Begin: end[:len(key):len(key)], End: end}
}

// Empty reports whether no key is in the range.
func (r Range) Empty() bool { return bytes.Compare(r.Begin, r.End) >= 0 }

// Contains reports whether key is in the range.
func (r Range) Contains(key []byte) bool {
	return bytes.Compare(r.Begin, key) <= 0 && bytes.Compare(key, r.End) < 0
}

// RangeOptions bound a range read. The zero value reads the whole range.
type RangeOptions struct {
	// Limit is the maximum number of keys to return; 0 means no limit.
	Limit int
	// Bytes stops the read after the key whose key and value bring the page to
	// this many bytes, or soon after; 0 means no bound. A page has at least one
	// key if the range has one.
	Bytes int
	// Reverse reads from the end of the range towards its beginning.
	Reverse bool
}

// KeyValue is a key and its value.
type KeyValue struct {
	Key, Value []byte
}

// Page is the result of a range read.
type Page struct {
	KeyValues []KeyValue
	// More is true when a bound of the RangeOptions ended the read, so that
	// there may be more keys in the range.
	More bool
}

// Stamp is a versionstamp: 8 bytes of commit version and 2 bytes of order
// within that version, both big-endian. It rises with commit order.
type Stamp [10]byte

// Op is an atomic operation. The numbers are FoundationDB's mutation types.
type Op int

// The operations. For OpAdd, OpMax and OpMin, operand and value are unsigned
// little-endian integers; the value is truncated or zero-extended to the
// operand's length, which is also the length of the result. Source:
// fdbclient/Atomic.h.
const (
	// OpAdd adds, wrapping; an absent key counts as zero.
	OpAdd Op = 2
	// OpMax keeps the larger; an absent key counts as zero.
	OpMax Op = 12
	// OpMin keeps the smaller; an absent key becomes the operand.
	OpMin Op = 13
	// OpVersionstampedKey sets a key after putting the transaction's Stamp into
	// it. The last 4 bytes of the given key are the little-endian offset of the 10
	// bytes to replace; they are cut off, but count towards the key's size.
	OpVersionstampedKey Op = 14
	// OpVersionstampedValue does the same to the value.
	OpVersionstampedValue Op = 15
	// OpByteMin keeps the lexicographically smaller of the two byte strings; an
	// absent key becomes the operand.
	OpByteMin Op = 16
	// OpByteMax keeps the larger; an absent key becomes the operand.
	OpByteMax Op = 17
	// OpCompareAndClear clears the key if its value equals the operand.
	OpCompareAndClear Op = 20
)
