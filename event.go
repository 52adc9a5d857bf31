package fdbevents

import (
	"time"

	"github.com/google/uuid"
)

// Event is a stored event. Events that are read together may share the memory of Data,
// Metadata and Tags: callers may keep these slices but must not modify them. Clone
// those that you keep much longer than the events read with them, so that they do not
// keep their neighbours in memory.
type Event struct {
	Stream string
	// Revision is the event's index in its stream: 0, 1, 2, … without gaps.
	Revision int64
	// Position is the event's place in the log of all streams.
	Position Position
	ID       uuid.UUID
	// Type says what happened, and so tells readers how to interpret Data.
	Type string
	// ContentType is the media type of Data; DefaultContentType if the writer named
	// none.
	ContentType string
	// Tags are strings by which the event can be found.
	Tags []string
	// Created is when the writer made the event, in UTC, to the nanosecond.
	Created  time.Time
	Data     []byte
	Metadata []byte
	// Erased is true if Data and Metadata have been erased; see Store.Erase.
	Erased bool
}

// eventOverhead is roughly the memory that an event takes in addition to its data and
// metadata, in bytes.
const eventOverhead = 300

// Size is roughly the memory that the event takes, in bytes. It bounds what is kept of
// events; it is neither the size of what is stored nor exact.
func (e *Event) Size() int { return eventOverhead + len(e.Data) + len(e.Metadata) }

// EventData is an event to append. Only Type is required.
type EventData struct {
	// ID makes the append repeatable: an event whose ID is already in the stream is not
	// stored again, however much later it is appended. If ID is zero, the store chooses
	// a random one.
	ID          uuid.UUID
	Type        string
	ContentType string
	Tags        []string
	// Created is when the event was made. Zero means the time of the append.
	Created  time.Time
	Data     []byte
	Metadata []byte
}

// StreamAppend holds events to append to one stream, and what the writer expects the
// stream's last revision to be.
type StreamAppend struct {
	Stream   string
	Expected ExpectedRevision
	Events   []EventData
}

// AppendResult says where the events of an append are.
type AppendResult struct {
	Stream string
	// FirstRevision and LastRevision are the revisions of the first and the last event.
	FirstRevision, LastRevision int64
	// Position is the position of the last event.
	Position Position
	// Repeat is true if the events were already stored under the same IDs, so that
	// nothing was written now. The other fields then describe the first append.
	Repeat bool
}

// DefaultContentType is the content type of events whose writer named none.
const DefaultContentType = "application/octet-stream"
