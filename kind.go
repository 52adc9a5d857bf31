package fdbevents

import (
	"context"
	"errors"
)

// Kind classifies an error. Programs that serve callers of their own map it to what
// those callers understand: an exit code, an HTTP status, a gRPC code.
type Kind int

// The kinds.
const (
	// OK means that there is no error.
	OK Kind = iota
	// Internal means that no other kind fits; the failure says nothing about the call.
	Internal
	// Invalid means that no store accepts the argument.
	Invalid
	// TooLarge means that the argument exceeds a limit.
	TooLarge
	// NotFound means that the stream, event, consumer group or projection does not
	// exist.
	NotFound
	// Conflict means that the store already holds something that rules the call out,
	// such as another revision, an event that a condition excludes, or other content
	// under the same id.
	Conflict
	// Gone means that something existed and will not come back: it was tombstoned,
	// truncated, deleted or lost.
	Gone
	// Unknown means that the change may or may not have happened. Repeat the call with
	// the same ids.
	Unknown
	// Unavailable means that the engine cannot serve the call now. It may succeed
	// later.
	Unavailable
	// Canceled means that the caller's context ended.
	Canceled
	// Closed means that the store, or the object that was called, has been closed.
	Closed
	// Corrupt means that stored bytes are not what was written.
	Corrupt
	// Unsupported means that this version does not know the stored format, most often
	// because a newer version wrote it.
	Unsupported
)

var kindNames = [...]string{
	OK: "ok", Internal: "internal", Invalid: "invalid", TooLarge: "too large", NotFound: "not found",
	Conflict: "conflict", Gone: "gone", Unknown: "unknown", Unavailable: "unavailable", Canceled: "canceled",
	Closed: "closed", Corrupt: "corrupt", Unsupported: "unsupported",
}

// String returns the kind's name in lower case, for example "not found".
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "invalid kind"
	}
	return kindNames[k]
}

// KindOf returns the kind of the first error in err's tree that has one, by a method
// Kind() Kind. Every error of this module that a caller can match has one. Unknown
// takes precedence over every other kind in the tree. The end of a context is Canceled,
// a retryable error of an engine is Unavailable, and any other error is Internal.
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
