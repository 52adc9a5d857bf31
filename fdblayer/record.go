package fdblayer

import (
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// getRecord starts reading the record at a place in the log.
func (s *Store) getRecord(r engine.Reader, partition int, at Position) engine.Future[engine.Page] {
	return r.GetRange(s.keys.record(partition, at), engine.RangeOptions{})
}

// awaitRecord finishes getRecord, into ev. ok is false when the record has been
// erased.
func (s *Store) awaitRecord(d *decoder, partition int, at Position, f engine.Future[engine.Page], ev *Event) (ok bool, err error) {
	page, err := f.Get()
	if err != nil {
		return false, fmt.Errorf("reading event at position %s: %w", at, err)
	}
	if len(page.KeyValues) == 0 {
		return false, fmt.Errorf("event at position %s, partition %d: %w: an index names it, but it is not in the log", at, partition, ErrCorrupt)
	}
	return d.event(at, page.KeyValues, ev)
}

// event decodes a record from its slot and further chunks, in order, into ev. ok
// is false when it has been erased.
func (d *decoder) event(at Position, chunks []engine.KeyValue, ev *Event) (ok bool, err error) {
	value := chunks[0].Value
	if len(value) == 0 {
		return false, nil
	}
	total, record, err := d.chunked(value)
	if err == nil && total > 0 {
		record = append(make([]byte, 0, total), record...)
		for _, kv := range chunks[1:] {
			record = append(record, kv.Value...)
		}
		if len(record) != total {
			err = corrupt(fmt.Errorf("chunks of %d bytes together, want %d", len(record), total))
		}
	} else {
		record = value
	}
	if err == nil {
		err = d.record(record, ev)
	}
	if err != nil {
		return false, fmt.Errorf("event at position %s: %w", at, err)
	}
	ev.Position = at
	return true, nil
}

// readEvent reads one event by its stream and revision. ok is false when it is
// not there, or has been erased.
func (s *Store) readEvent(r engine.Reader, stream string, revision int64) (ev Event, ok bool, err error) {
	value, err := r.Get(s.keys.entry(nil, stream, revision)).Get()
	if err != nil || value == nil {
		return ev, false, err
	}
	d := s.decoder()
	defer s.release(d)
	e, err := decodeEntry(value)
	if err != nil {
		return ev, false, fmt.Errorf("stream %q revision %d: %w", stream, revision, err)
	}
	if e.record == nil {
		ok, err = s.awaitRecord(d, e.partition, e.at, s.getRecord(r, e.partition, e.at), &ev)
		return ev, ok, err
	}
	if err = d.record(e.record, &ev); err != nil {
		return ev, false, fmt.Errorf("stream %q revision %d: %w", stream, revision, err)
	}
	ev.Position = e.at
	return ev, true, nil
}
