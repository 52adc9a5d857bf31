package fdblayer

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// Erase removes the data and metadata of the events with an id, one in each stream that
// has it, for example because they are personal. The events stay where they are, in
// their streams and in the log, with Erased set. They keep their type, tags, time and
// id, so do not put anything that may have to be erased into these or into stream
// names. Appending such an event again is still a repeat.
//
// Erase returns the events as they are now. Erasing an event twice does nothing. Every
// read of the store stops showing the bytes at once; the engine's files lose them at
// the next compaction, and backups when they are deleted.
//
// Errors: ErrEventNotFound.
func (s *Store) Erase(ctx context.Context, id uuid.UUID) (erased []fdbevents.Event, err error) {
	err = s.update(ctx, func(tr engine.Transaction, _ error) (err error) {
		erased, err = s.erase(tr, id)
		return err
	})
	switch {
	case fdbevents.KindOf(err) == fdbevents.NotFound: // the error names the event
		return nil, fmt.Errorf("erasing: %w", err)
	case err != nil:
		return nil, fmt.Errorf("erasing event %s: %w", id, err)
	}
	return erased, nil
}

// erase reads serializably, so that an event that is scavenged at the same time does
// not come back.
func (s *Store) erase(tr engine.Transaction, id uuid.UUID) (erased []fdbevents.Event, err error) {
	page, err := tr.GetRange(s.keys.StreamsOfID(id), engine.RangeOptions{}).Get()
	if err != nil {
		return nil, err
	}
	var d layout.RecordDecoder
	for _, kv := range page.KeyValues {
		_, stream, err := s.keys.ParseID(kv.Key)
		if err != nil {
			return nil, err
		}
		at, err := layout.DecodeIDEntry(kv.Value)
		if err != nil {
			return nil, err
		}
		key := s.keys.Entry(nil, stream, at.Revision)
		value, err := tr.Get(key).Get()
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue // scavenged
		}
		e, err := layout.DecodeEntry(value)
		if err != nil {
			return nil, fmt.Errorf("stream %q revision %d: %w", stream, at.Revision, err)
		}
		var ev fdbevents.Event
		to := layout.Pointer{At: e.At, Partition: e.Partition}
		slot := s.keys.GetRecord(tr, to)
		ok, err := s.keys.AwaitRecord(&d, tr, to, slot, &ev)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if !ev.Erased {
			ev.Data, ev.Metadata, ev.Erased = nil, nil, true
			encoded := layout.AppendRecord(nil, layout.Record{Stream: ev.Stream, Revision: ev.Revision, Erased: true, Event: &fdbevents.EventData{
				ID: ev.ID, Type: ev.Type, ContentType: ev.ContentType, Tags: ev.Tags, Created: ev.Created,
			}})
			if err := s.replaceRecord(tr, to, slot, encoded); err != nil {
				return nil, err
			}
			inline := encoded
			if e.Record == nil {
				inline = nil
			}
			tr.Set(key, layout.AppendEntry(nil, layout.Entry{Partition: to.Partition, At: to.At, Size: len(encoded), Record: inline}))
		}
		erased = append(erased, ev)
	}
	if len(erased) == 0 {
		return nil, &fdbevents.NotFoundError{What: "event", Name: id.String()}
	}
	return erased, nil
}
