package fdblayer

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// transactionBudget bounds the estimated bytes of one append in the engine. It is below
// engine.MaxTransactionSize, with room for what accompanies the append. An append
// within the other limits reaches it only with very long stream names or very many
// tags, which are written once per index.
const transactionBudget = 9_500_000

// request is one atomic append on its way through the batcher. Its fields are set
// before it is queued, except results and err: finish sets them, and others may read
// them once done is closed.
type request struct {
	// ctx is the caller's context.
	ctx     context.Context
	appends []streamRequest
	// lane is the lane of the first stream.
	lane      int
	condition *fdbevents.Condition
	// pointersOnly is true if even small records are not copied into their streams,
	// because there are too many of them.
	pointersOnly bool
	// cost estimates the bytes that the request adds to an engine transaction.
	cost int64
	// count is the number of events.
	count int

	// release, if not nil, is called once when the request is over.
	release func()
	// done is closed once results and err are set.
	done    chan struct{}
	results []fdbevents.AppendResult
	err     error

	// Most appends are of one event to one stream. appends, its events and results then
	// have their memory here and need no allocations of their own.
	oneAppend [1]streamRequest
	oneEvent  [1]newEvent
	oneResult [1]fdbevents.AppendResult
}

// streamRequest holds the events of a request for one stream.
type streamRequest struct {
	stream   string
	expected fdbevents.ExpectedRevision
	events   []newEvent
}

// newEvent is an EventData with its defaults filled in.
type newEvent struct {
	fdbevents.EventData
	// givenID is true if the caller chose the ID, so that the event may be a repeat.
	givenID bool
}

// newRequest checks appends against the limits and fills in the defaults.
func (s *Store) newRequest(condition *fdbevents.Condition, appends []fdbevents.StreamAppend) (*request, error) {
	r := &request{condition: condition, done: make(chan struct{})}
	if condition != nil {
		if err := condition.Validate(); err != nil {
			return nil, err
		}
	}
	if len(appends) == 0 {
		return nil, fdbevents.ErrNoEvents
	}
	r.appends = r.oneAppend[:]
	if len(appends) > 1 {
		r.appends = make([]streamRequest, len(appends))
	}
	var size, copies int64
	now := time.Now()
	for i := range appends {
		a := &appends[i]
		if err := fdbevents.ValidateStreamName(a.Stream); err != nil {
			return nil, err
		}
		if err := a.Expected.Validate(); err != nil {
			return nil, err
		}
		if len(a.Events) == 0 {
			return nil, fmt.Errorf("stream %q: %w", a.Stream, fdbevents.ErrNoEvents)
		}
		events := r.oneEvent[:]
		if len(appends) > 1 || len(a.Events) > 1 {
			events = make([]newEvent, len(a.Events))
		}
		for j := range a.Events {
			if err := a.Events[j].Validate(); err != nil {
				return nil, fmt.Errorf("event %d of %d for stream %q: %w", j+1, len(a.Events), a.Stream, err)
			}
			events[j] = s.withDefaults(a.Events[j], now)
			size += int64(len(a.Events[j].Data) + len(a.Events[j].Metadata))
			cost, inline := s.cost(a.Stream, &events[j].EventData)
			r.cost += cost
			copies += inline
		}
		r.count += len(events)
		r.appends[i] = streamRequest{stream: a.Stream, expected: a.Expected, events: events}
	}
	// Copies make loading a stream faster, but they must not make an append too large.
	if r.pointersOnly = r.cost+copies > transactionBudget; !r.pointersOnly {
		r.cost += copies
	}
	r.lane = int(layout.HashStream(r.appends[0].stream) % lanes)
	switch {
	case r.count > fdbevents.MaxAppendEvents:
		return nil, &fdbevents.LimitError{What: "events of an append", Got: int64(r.count), Limit: fdbevents.MaxAppendEvents, Unit: "events"}
	case size > fdbevents.MaxAppendSize:
		return nil, &fdbevents.LimitError{What: "data and metadata of an append", Got: size, Limit: fdbevents.MaxAppendSize, Unit: "bytes"}
	case r.cost > transactionBudget:
		return nil, &fdbevents.LimitError{What: "append with its stream names and tags, as stored", Got: r.cost, Limit: transactionBudget, Unit: "bytes"}
	}
	return r, nil
}

func (s *Store) withDefaults(ev fdbevents.EventData, now time.Time) newEvent {
	out := newEvent{EventData: ev, givenID: ev.ID != uuid.Nil}
	if !out.givenID {
		out.ID = newEventID()
	}
	if ev.ContentType == "" {
		out.ContentType = fdbevents.DefaultContentType
	}
	if ev.Created.IsZero() {
		out.Created = now
	}
	return out
}

// newEventID is uuid.New without its allocation.
func newEventID() (id uuid.UUID) {
	_, _ = rand.Read(id[:])   // never fails
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id
}

// cost estimates the bytes of an event in an engine transaction: its mutations, and its
// keys once more for their conflict ranges. inline is what the copy of a small record
// in its stream adds.
func (s *Store) cost(stream string, ev *fdbevents.EventData) (cost, inline int64) {
	key := 20 + len(s.keys.Prefix) // a key without its variable part
	record := layout.RecordBound(stream, ev)
	total := record + 3*(4*key+2*len(stream)) // slot, entry, id, head: mutation and conflict range
	for _, tag := range ev.Tags {
		total += 3 * (key + 10 + len(tag))
	}
	total += len(s.indexes.Load().all) * 3 * (key + 10 + max(len(stream), len(ev.Type)))
	if record-layout.RecordOverhead-3*len(ev.Tags) <= s.header.InlineLimit { // the record may be small enough
		inline = int64(record)
	}
	return int64(total), inline
}

// finish hands the outcome to the waiting caller. It is called exactly once.
func (r *request) finish(results []fdbevents.AppendResult, err error) {
	r.results, r.err = results, err
	close(r.done)
	if r.release != nil {
		r.release()
	}
}
