package fdbevents

import (
	"time"

	"github.com/google/uuid"
)

// Event is one event as it is stored. Data, Metadata and Tags belong to the
// caller, who must not modify them: events read together may share memory. Clone
// what is to be kept much longer than its neighbours.
type Event struct {
	Stream string
	// Revision is the index in the stream: 0, 1, 2, … without gaps.
	Revision int64
	// Position is the place in the log of all streams.
	Position Position
	ID       uuid.UUID
	// Type says what happened; by it readers know how to read Data.
	Type string
	// ContentType is the media type of Data, "application/octet-stream" when the
	// writer named none.
	ContentType string
	// Tags are strings by which the event can be found.
	Tags []string
	// Created is when the writer made the event, to the nanosecond, in UTC.
	Created  time.Time
	Data     []byte
	Metadata []byte
	// Erased is true when data and metadata were erased, see Store.Erase.
	Erased bool
}

// NewEvent is an event to append. Only Type is required.
type EventData struct {
	// ID makes the append repeatable: an event whose ID is already in the stream
	// is not stored again, however much later. When zero, a random one is chosen.
	ID          uuid.UUID
	Type        string
	ContentType string
	Tags        []string
	// Created is now when zero.
	Created  time.Time
	Data     []byte
	Metadata []byte
}

// StreamAppend is events for one stream, on a condition about its last revision.
type StreamAppend struct {
	Stream   string
	Expected ExpectedRevision
	Events   []EventData
}

// AppendResult tells where the events of an append are.
type AppendResult struct {
	Stream string
	// FirstRevision and LastRevision are those of the first and the last event.
	FirstRevision, LastRevision int64
	// Position is that of the last event.
	Position Position
	// Repeat is true when the events had been stored before, under the same IDs,
	// and nothing was written now. The other fields tell of the first time.
	Repeat bool
}

const DefaultContentType = "application/octet-stream"
