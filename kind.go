package fdbevents

import (
	"context"
	"errors"
)

// Kind is the sort of failure that an error is. A door to the outside maps it to
// what its own callers understand: an exit code, an HTTP status, a gRPC code.
type Kind int

// The kinds.
const (
	// OK: there is no error.
	OK Kind = iota
	// Internal: no other kind fits, so the failure says nothing about the call.
	Internal
	// Invalid: no store accepts the argument.
	Invalid
	// TooLarge: the argument is over a limit.
	TooLarge
	// NotFound: the stream, event, consumer group or projection does not exist.
	NotFound
	// Conflict: the store has something that the call rules out, such as another
	// revision, an event that a condition excludes, or other content under an id.
	Conflict
	// Gone: it existed and does not come back: tombstoned, truncated, deleted, lost.
	Gone
	// Unknown: the change may or may not have happened. Repeat it with the same ids.
	Unknown
	// Unavailable: the engine does not serve the call now. Trying later can help.
	Unavailable
	// Canceled: the caller's context ended.
	Canceled
	// Closed: the store, or what the call belongs to, was closed.
	Closed
	// Corrupt: stored bytes are not what was written.
	Corrupt
	// Unsupported: a newer version wrote it.
	Unsupported
)

var kindNames = [...]string{
	OK: "ok", Internal: "internal", Invalid: "invalid", TooLarge: "too large", NotFound: "not found",
	Conflict: "conflict", Gone: "gone", Unknown: "unknown", Unavailable: "unavailable", Canceled: "canceled",
	Closed: "closed", Corrupt: "corrupt", Unsupported: "unsupported",
}

// String is the kind's name in lower case.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "invalid kind"
	}
	return kindNames[k]
}

// KindOf is the kind of the first error in err's tree that has one: every error of
// this module that a caller can match does, by a method Kind() Kind. Unknown takes
// precedence, whatever else the error wraps.
func KindOf(err error) Kind {
	var (
		kinded    interface{ Kind() Kind }
		retryable interface{ Retryable() bool } // an engine's error
	)
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrOutcomeUnknown), errors.Is(err, ErrSettleUnknown):
		return Unknown
	case errors.As(err, &kinded):
		return kinded.Kind()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	case errors.As(err, &retryable) && retryable.Retryable():
		return Unavailable
	}
	return Internal
}

// sentinel is an error that is matched by its identity.
type sentinel struct {
	kind Kind
	text string
}

func newSentinel(kind Kind, text string) error { return &sentinel{kind, text} }

func (e *sentinel) Error() string { return e.text }

func (e *sentinel) Kind() Kind { return e.kind }
