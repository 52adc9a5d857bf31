package fdbevents

import (
	"fmt"

	"github.com/google/uuid"
)

// Errors to match with errors.Is. The typed ones below are matched with
// errors.As and carry what their messages say.
var (
	// ErrClosed: the Store was closed.
	ErrClosed = newSentinel(Closed, "store is closed")
	// ErrStreamNotFound: the stream has never had events, or was deleted.
	ErrStreamNotFound = newSentinel(NotFound, "stream not found")
	// ErrEventNotFound: no event has the id.
	ErrEventNotFound = newSentinel(NotFound, "event not found")
	// ErrStreamDeleted: the stream is tombstoned; it takes and gives no events.
	ErrStreamDeleted = newSentinel(Gone, "stream is permanently deleted")
	// ErrTooLarge: the engine takes no transaction, key or value of this size.
	ErrTooLarge = newSentinel(TooLarge, "larger than the engine takes")
	// ErrNoEvents: an append without events.
	ErrNoEvents = newSentinel(Invalid, "append has no events")
	// ErrOutcomeUnknown: the caller stopped waiting, or the engine cannot say
	// whether the append happened. Repeating it with the same event IDs is safe:
	// it returns the first result or stores the events now.
	ErrOutcomeUnknown = newSentinel(Unknown, "append may or may not have happened; repeat it with the same event ids")
	// ErrProjectionNotFound: there is no projection of that name.
	ErrProjectionNotFound = newSentinel(NotFound, "projection not found")
	// ErrProjectionRebuilt: the projection's view has been built anew, in a later
	// generation, or was deleted. Whoever still runs the old one has ended.
	ErrProjectionRebuilt = newSentinel(Gone, "projection was rebuilt or deleted by another process; start it again, with the handler and generation of today")
	// ErrCorrupt: stored bytes are not what was written.
	ErrCorrupt = newSentinel(Corrupt, "stored record is corrupt")
	// ErrFormat: the store was written by another, newer version.
	ErrFormat = newSentinel(Unsupported, "unknown store format")
	// ErrGroupNotFound: there is no consumer group of that name.
	ErrGroupNotFound = newSentinel(NotFound, "consumer group not found")
	// ErrGroupDeleted: the consumer group was deleted since it was opened, and
	// perhaps created anew.
	ErrGroupDeleted = newSentinel(Gone, "consumer group was deleted; open it again")
	// ErrSettled: the message was acknowledged, or refused, before.
	ErrSettled = newSentinel(Conflict, "message is settled already; ack or nack each message once")
	// ErrLeaseLost: the member does not hold the message's partition any more, so
	// that its word does not count; whoever holds it now gets the message again.
	ErrLeaseLost = newSentinel(Gone, "lease of the message's partition is lost; the message is delivered again")
	// ErrSettleUnknown: the caller stopped waiting, or the engine cannot say
	// whether the message is settled. If it is not, it is delivered again.
	ErrSettleUnknown = newSentinel(Unknown, "message may or may not be settled; if not, it is delivered again")
	// ErrMessageTimeout: the message was not settled within the group's message
	// time-out, and is delivered again or parked.
	ErrMessageTimeout = newSentinel(Gone, "message timed out; it is delivered again, settle it sooner or raise the group's message time-out")
)

// NotFoundError says what does not exist. errors.Is matches it with the sentinel of
// its sort, for example ErrStreamNotFound.
type NotFoundError struct {
	// What is "stream", "event", "projection" or "consumer group".
	What string
	// Name is its name, or an event's id.
	Name string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("%s %q not found", e.What, e.Name) }

// Kind is NotFound.
func (e *NotFoundError) Kind() Kind { return NotFound }

// Is reports whether target is the sentinel of the same sort.
func (e *NotFoundError) Is(target error) bool {
	switch e.What {
	case "stream":
		return target == ErrStreamNotFound
	case "event":
		return target == ErrEventNotFound
	case "projection":
		return target == ErrProjectionNotFound
	case "consumer group":
		return target == ErrGroupNotFound
	}
	return false
}

// WrongExpectedRevisionError refuses an append whose ExpectedRevision is wrong.
type WrongExpectedRevisionError struct {
	Stream   string
	Expected ExpectedRevision
	// Actual is the last revision of the stream, -1 when it has no events.
	Actual int64
}

func (e *WrongExpectedRevisionError) Error() string {
	if e.Actual < 0 {
		return fmt.Sprintf("wrong expected revision of stream %q: expected %s, but it has no events", e.Stream, e.Expected)
	}
	return fmt.Sprintf("wrong expected revision of stream %q: expected %s, but its last revision is %d", e.Stream, e.Expected, e.Actual)
}

// Kind is Conflict.
func (e *WrongExpectedRevisionError) Kind() Kind { return Conflict }

// TruncatedError ends a read or subscription of a stream that was overtaken: what
// it would have read next was truncated, deleted, or exceeded the stream's
// Retention, before it got there.
type TruncatedError struct {
	Stream string
	// Revision is what it would have read next.
	Revision int64
	// First is the first revision that is still there, or will be.
	First int64
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("stream %q was truncated before it was read: revision %d is gone; the first that is still there is %d", e.Stream, e.Revision, e.First)
}

// Kind is Gone.
func (e *TruncatedError) Kind() Kind { return Gone }

// ConditionError refuses an append whose Condition found an event.
type ConditionError struct {
	// Position is that of the first event that matches the condition's query.
	Position Position
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("append condition failed: the event at position %s matches the query; read from there and decide again", e.Position)
}

// Kind is Conflict.
func (e *ConditionError) Kind() Kind { return Conflict }

// IDConflictError refuses an append with an event ID that the stream already
// has for other content, or in another order.
type IDConflictError struct {
	Stream string
	ID     uuid.UUID
	// Revision is that of the stored event with this ID.
	Revision int64
	// Reason says what differs.
	Reason string
}

func (e *IDConflictError) Error() string {
	return fmt.Sprintf("event id %s is already in stream %q at revision %d, %s; give new events new ids", e.ID, e.Stream, e.Revision, e.Reason)
}

// Kind is Conflict.
func (e *IDConflictError) Kind() Kind { return Conflict }

// AheadError refuses to open a store whose newest event lies ahead of the
// database's version: its keys were copied from a database that is further on.
type AheadError struct {
	// Last is the position of the newest event of some partition.
	Last Position
	// Version is the database's.
	Version int64
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("the store has an event of version %d, but the database is at %d: its keys were copied from another database. "+
		"On FoundationDB, run: fdbcli --exec \"advanceversion %d\"", e.Last.Version(), e.Version, e.Last.Version()+1)
}

// Kind is Unavailable.
func (e *AheadError) Kind() Kind { return Unavailable }

// LimitError refuses what is larger than the store allows.
type LimitError struct {
	// What is over the limit, for example "stream name".
	What string
	// Got and Limit are in Unit, for example "bytes".
	Got, Limit int64
	Unit       string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d %s, limit %d", e.What, e.Got, e.Unit, e.Limit)
}

// Kind is TooLarge.
func (e *LimitError) Kind() Kind { return TooLarge }

// InvalidError refuses a value that no limit makes right.
type InvalidError struct {
	// What is wrong, for example "stream name".
	What string
	// Value is the offending text.
	Value string
	// Reason says what would be right.
	Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s %q: %s", e.What, e.Value, e.Reason)
}

// Kind is Invalid.
func (e *InvalidError) Kind() Kind { return Invalid }
