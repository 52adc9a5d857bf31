package fdblayer

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// Event returns one event of a stream as readers of the stream see it: an event that
// was truncated, or that exceeds the stream's Retention, is not found.
//
// Errors: *NotFoundError for the stream or the event, ErrStreamDeleted.
func (s *Store) Event(ctx context.Context, stream string, revision int64) (fdbevents.Event, error) {
	missing := &fdbevents.NotFoundError{What: "event", Name: fmt.Sprintf("%s@%d", stream, revision)}
	if revision < 0 {
		return fdbevents.Event{}, missing
	}
	for ev, err := range s.ReadStream(ctx, stream, revision, ReadOptions{Limit: 1}) {
		if err != nil {
			return fdbevents.Event{}, fmt.Errorf("reading event %d of stream %q: %w", revision, stream, err)
		}
		if ev.Revision == revision {
			return ev, nil
		}
	}
	return fdbevents.Event{}, missing
}

// EventsByID returns the events with an id, one for each stream that has it, in the
// order of the streams' names. It leaves out scavenged events.
//
// Errors: *NotFoundError if no event is left.
func (s *Store) EventsByID(ctx context.Context, id uuid.UUID) (events []fdbevents.Event, err error) {
	err = s.view(ctx, func(r Reader) error {
		events = nil
		page, err := r.GetRange(s.keys.StreamsOfID(id), engine.RangeOptions{}).Get()
		if err != nil {
			return err
		}
		for _, kv := range page.KeyValues {
			_, stream, err := s.keys.ParseID(kv.Key)
			if err != nil {
				return err
			}
			at, err := layout.DecodeIDEntry(kv.Value)
			if err != nil {
				return fmt.Errorf("stream %q: %w", stream, err)
			}
			ev, ok, err := s.readEvent(r, stream, at.Revision)
			if err != nil {
				return fmt.Errorf("stream %q, revision %d: %w", stream, at.Revision, err)
			}
			if ok {
				events = append(events, ev)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading event %s: %w", id, err)
	}
	if len(events) == 0 {
		return nil, &fdbevents.NotFoundError{What: "event", Name: id.String()}
	}
	return events, nil
}

// EventAt returns the event at a position of the log, whether or not readers of its
// stream still see it.
//
// Errors: *NotFoundError if no event is there or it was scavenged; *InvalidError for a
// position that the store has not reached.
func (s *Store) EventAt(ctx context.Context, at fdbevents.Position) (ev fdbevents.Event, err error) {
	found := false
	err = s.view(ctx, func(r Reader) error {
		found = false
		if err := checkPosition(r, at); err != nil {
			return err
		}
		// The position does not name its partition.
		slots := make([]engine.Future[[]byte], s.header.Partitions)
		for p := range slots {
			slots[p] = s.keys.GetRecord(r, layout.Pointer{At: at, Partition: p})
		}
		var d layout.RecordDecoder
		for p, slot := range slots {
			value, err := slot.Get()
			if err != nil {
				return err
			}
			if value == nil || found {
				continue
			}
			if found, err = s.keys.AwaitRecord(&d, r, layout.Pointer{At: at, Partition: p}, slot, &ev); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fdbevents.Event{}, fmt.Errorf("reading the event at position %s: %w", at, err)
	}
	if !found {
		return fdbevents.Event{}, &fdbevents.NotFoundError{What: "event", Name: at.String()}
	}
	return ev, nil
}

// Tail returns the end of the log: every event that is in the log now is at or before
// it, and every later event is after it.
func (s *Store) Tail(ctx context.Context) (fdbevents.Position, error) {
	at, err := s.Door().tail(ctx)
	if err != nil {
		return fdbevents.Start, fmt.Errorf("looking for the end of the log: %w", err)
	}
	return at, nil
}
