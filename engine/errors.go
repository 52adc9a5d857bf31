package engine

import (
	"context"
	"errors"
	"fmt"
)

// Error is a failure of an engine. Its number is FoundationDB's error code, so
// that a code not named here still says what happened. Match it with errors.Is,
// or with errors.As for the number.
type Error int

// The failures that callers distinguish. Source of the codes:
// flow/include/flow/error_definitions.h.
const (
	// ErrClosed: the engine was closed.
	ErrClosed Error = -1
	// ErrTooOld: the read version is older than MaxTransactionAge.
	ErrTooOld Error = 1007
	// ErrFutureVersion: the read version has not been reached yet.
	ErrFutureVersion Error = 1009
	// ErrConflict: another transaction wrote what this one read.
	ErrConflict Error = 1020
	// ErrCommitUnknown: the commit may or may not have happened.
	ErrCommitUnknown Error = 1021
	// ErrCancelled: the transaction was cancelled.
	ErrCancelled Error = 1025
	// ErrTimedOut: the transaction took longer than its timeout.
	ErrTimedOut Error = 1031
	// ErrTooManyWatches: the engine cannot keep another watch.
	ErrTooManyWatches Error = 1032
	// ErrUnreadable: the read touches a versionstamped write of the same
	// transaction.
	ErrUnreadable Error = 1036
	// ErrOperationCancelled: one read or watch was cancelled.
	ErrOperationCancelled Error = 1101
	// ErrInvalidOperation: the call is invalid, for example a versionstamp offset
	// outside its key.
	ErrInvalidOperation Error = 2000
	// ErrKeyOutsideRange: keys that begin with 0xFF belong to the engine.
	ErrKeyOutsideRange Error = 2004
	// ErrUsedDuringCommit: the transaction was used after Commit.
	ErrUsedDuringCommit Error = 2017
	// ErrNoCommitVersion: a transaction without writes has no versionstamp.
	ErrNoCommitVersion Error = 2021
	// ErrTransactionTooLarge: over MaxTransactionSize.
	ErrTransactionTooLarge Error = 2101
	// ErrKeyTooLarge: over MaxKeySize.
	ErrKeyTooLarge Error = 2102
	// ErrValueTooLarge: over MaxValueSize.
	ErrValueTooLarge Error = 2103
)

var errorText = map[Error]string{
	ErrClosed:              "engine is closed",
	ErrTooOld:              "transaction is too old to read or commit (limit 5 s)",
	ErrFutureVersion:       "read version is in the future",
	ErrConflict:            "conflict with another transaction",
	ErrCommitUnknown:       "commit result unknown: it may or may not have happened",
	ErrCancelled:           "transaction cancelled",
	ErrTimedOut:            "transaction timed out",
	ErrTooManyWatches:      "too many watches",
	ErrUnreadable:          "read of a versionstamped write of the same transaction",
	ErrOperationCancelled:  "operation cancelled",
	ErrInvalidOperation:    "invalid operation",
	ErrKeyOutsideRange:     "key begins with 0xff, which is reserved",
	ErrUsedDuringCommit:    "transaction used during or after commit",
	ErrNoCommitVersion:     "read-only transaction has no versionstamp",
	ErrTransactionTooLarge: "transaction is larger than 10,000,000 bytes",
	ErrKeyTooLarge:         "key is longer than 10,000 bytes",
	ErrValueTooLarge:       "value is longer than 100,000 bytes",
	1037:                   "storage process is behind",
	1038:                   "database is locked",
	1039:                   "cluster has been upgraded or moved: commit result unknown",
	1042:                   "commit proxies are short of memory",
	1051:                   "batch transactions are throttled",
	1078:                   "read version proxies are short of memory",
	1213:                   "transaction tag is throttled",
	1223:                   "transaction tag is throttled by the proxies",
}

// Error returns a description of the failure and its number.
func (e Error) Error() string {
	if e == ErrClosed {
		return errorText[e]
	}
	if text, ok := errorText[e]; ok {
		return fmt.Sprintf("%s (%d)", text, int(e))
	}
	return fmt.Sprintf("engine error %d", int(e))
}

// Retryable reports whether the same work can succeed in a new attempt. Source:
// fdb_error_predicate RETRYABLE of release 7.3.
func (e Error) Retryable() bool {
	switch e {
	case ErrTooOld, ErrFutureVersion, ErrConflict, ErrCommitUnknown,
		1037, 1038, 1039, 1042, 1051, 1078, 1213, 1223:
		return true
	}
	return false
}

// Retryable reports whether err is an engine error that a new attempt can cure.
func Retryable(err error) bool {
	var e Error
	return errors.As(err, &e) && e.Retryable()
}

// MaybeCommitted reports whether a commit that returned err may have happened.
//
// After a retryable error (1021, 1039) the old attempt is over by the time
// OnError returns. After a timeout or a cancellation it may still land later.
func MaybeCommitted(err error) bool {
	var e Error
	if !errors.As(err, &e) {
		return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	}
	switch e {
	case ErrCommitUnknown, 1039, ErrTimedOut, ErrCancelled, ErrOperationCancelled:
		return true
	}
	return false
}
