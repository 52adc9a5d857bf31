package fdbevents

import (
	"fmt"

	"github.com/google/uuid"
)

// These errors are matched with errors.Is. The typed errors below are matched with
// errors.As; their fields hold everything that their messages say.
var (
	// ErrClosed means that the Store has been closed.
	ErrClosed = newSentinel(Closed, "store is closed")
	// ErrStreamNotFound means that the stream has never had events, or was deleted.
	ErrStreamNotFound = newSentinel(NotFound, "stream not found")
	// ErrEventNotFound means that the store has no such event.
	ErrEventNotFound = newSentinel(NotFound, "event not found")
	// ErrStreamDeleted means that the stream is tombstoned: it can be neither read nor
	// appended to.
	ErrStreamDeleted = newSentinel(Gone, "stream is permanently deleted")
	// ErrTooLarge means that a transaction, key or value is larger than the engine
	// accepts.
	ErrTooLarge = newSentinel(TooLarge, "larger than the engine accepts")
	// ErrNoEvents means that an append had no events.
	ErrNoEvents = newSentinel(Invalid, "append has no events")
	// ErrOutcomeUnknown means that the append may or may not have happened: the caller
	// stopped waiting, or the engine cannot say. It is safe to repeat the append with
	// the same event IDs: it then returns the first result or stores the events now.
	ErrOutcomeUnknown = newSentinel(Unknown, "append may or may not have happened; repeat it with the same event ids")
	// ErrProjectionNotFound means that no projection has this name.
	ErrProjectionNotFound = newSentinel(NotFound, "projection not found")
	// ErrProjectionRebuilt means that the projection was deleted, or that its view has
	// been rebuilt in a later generation. It ends every runner of the old one.
	ErrProjectionRebuilt = newSentinel(Gone, "projection was rebuilt or deleted by another process; restart it with the current handler and generation")
	// ErrCorrupt means that stored bytes are not what was written.
	ErrCorrupt = newSentinel(Corrupt, "stored record is corrupt")
	// ErrFormat means that this version does not know the format of the store or of a
	// stored value, most often because a newer version wrote it.
	ErrFormat = newSentinel(Unsupported, "unknown store format")
	// ErrGroupNotFound means that no consumer group has this name.
	ErrGroupNotFound = newSentinel(NotFound, "consumer group not found")
	// ErrGroupDeleted means that the consumer group has been deleted since it was
	// opened, and perhaps created again.
	ErrGroupDeleted = newSentinel(Gone, "consumer group was deleted; open it again")
	// ErrSettled means that the message has already been acked or nacked.
	ErrSettled = newSentinel(Conflict, "message is already settled; ack or nack each message only once")
	// ErrLeaseLost means that the member no longer holds the lease of the message's
	// partition, so its ack or nack has no effect. The member that holds the lease now
	// gets the message again.
	ErrLeaseLost = newSentinel(Gone, "lease of the message's partition was lost; the message will be delivered again")
	// ErrSettleUnknown means that the message may or may not be settled: the caller
	// stopped waiting, or the engine cannot say. If it is not settled, it is delivered
	// again.
	ErrSettleUnknown = newSentinel(Unknown, "message may or may not be settled; if it is not, it will be delivered again")
	// ErrMessageTimeout means that the message was not settled within the group's
	// message timeout. It is delivered again or parked.
	ErrMessageTimeout = newSentinel(Gone, "message timed out and will be delivered again or parked; settle it sooner or raise the group's message timeout")
)

// NotFoundError says what does not exist. errors.Is matches it with the sentinel for
// its What, for example ErrStreamNotFound.
type NotFoundError struct {
	// What is "stream", "event", "projection" or "consumer group".
	What string
	// Name is the name of the stream, projection or consumer group. For an event it is
	// its id, its position, or stream@revision.
	Name string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("%s %q not found", e.What, e.Name) }

// Kind returns NotFound.
func (e *NotFoundError) Kind() Kind { return NotFound }

// Is reports whether target is the sentinel for e.What.
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

// WrongExpectedRevisionError refuses an append or a deletion whose ExpectedRevision
// does not match the stream.
type WrongExpectedRevisionError struct {
	Stream   string
	Expected ExpectedRevision
	// Actual is the stream's last revision, or -1 if the stream has no events.
	Actual int64
}

func (e *WrongExpectedRevisionError) Error() string {
	if e.Actual < 0 {
		return fmt.Sprintf("wrong expected revision of stream %q: expected %s, but it has no events", e.Stream, e.Expected)
	}
	return fmt.Sprintf("wrong expected revision of stream %q: expected %s, but its last revision is %d", e.Stream, e.Expected, e.Actual)
}

// Kind returns Conflict.
func (e *WrongExpectedRevisionError) Kind() Kind { return Conflict }

// TruncatedError ends a read or subscription that was overtaken: the event it would
// have read next was truncated or deleted, or exceeded the stream's Retention, before
// the reader got there.
type TruncatedError struct {
	Stream string
	// Revision is the revision that would have been read next.
	Revision int64
	// First is the first revision that is still there. If none is left, it is the
	// revision that the next event will get.
	First int64
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("stream %q was truncated before it was read: revision %d is gone; the first one left is %d", e.Stream, e.Revision, e.First)
}

// Kind returns Gone.
func (e *TruncatedError) Kind() Kind { return Gone }

// ConditionError refuses an append because an event matches the query of its Condition.
type ConditionError struct {
	// Position is the position of the first matching event.
	Position Position
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("append condition failed: the event at position %s matches the query; read from there and decide again", e.Position)
}

// Kind returns Conflict.
func (e *ConditionError) Kind() Kind { return Conflict }

// IDConflictError refuses an append of an event ID that the stream already has, with
// other content or in another order.
type IDConflictError struct {
	Stream string
	ID     uuid.UUID
	// Revision is the revision of the stored event with this ID.
	Revision int64
	// Reason says what differs.
	Reason string
}

func (e *IDConflictError) Error() string {
	return fmt.Sprintf("event id %s is already in stream %q at revision %d, %s; give new events new ids", e.ID, e.Stream, e.Revision, e.Reason)
}

// Kind returns Conflict.
func (e *IDConflictError) Kind() Kind { return Conflict }

// AheadError refuses to open a store whose newest event is ahead of the database's
// version: its keys were copied from a database with a higher version.
type AheadError struct {
	// Last is the position of the newest event of some partition.
	Last Position
	// Version is the read version of the database.
	Version int64
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("the store has an event at version %d, but the database is only at version %d: its keys were copied from another database. "+
		"On FoundationDB, run: fdbcli --exec \"advanceversion %d\"", e.Last.Version(), e.Version, e.Last.Version()+1)
}

// Kind returns Unavailable.
func (e *AheadError) Kind() Kind { return Unavailable }

// LimitError refuses something that is larger than the store allows.
type LimitError struct {
	// What names the thing over the limit, for example "stream name".
	What string
	// Got and Limit are in Unit, for example "bytes".
	Got, Limit int64
	Unit       string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d %s, limit %d", e.What, e.Got, e.Unit, e.Limit)
}

// Kind returns TooLarge.
func (e *LimitError) Kind() Kind { return TooLarge }

// InvalidError refuses a value that is wrong whatever the limits are.
type InvalidError struct {
	// What names the thing that is wrong, for example "stream name".
	What string
	// Value is the offending value as text.
	Value string
	// Reason says what is wrong with it, or what would be right.
	Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s %q: %s", e.What, e.Value, e.Reason)
}

// Kind returns Invalid.
func (e *InvalidError) Kind() Kind { return Invalid }
