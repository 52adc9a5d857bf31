package fdblayer

import (
	"fmt"

	"github.com/fdbevents/fdbevents/engine"
)

// getRecord starts reading the record at a place in the log.
func (s *Store) getRecord(r engine.Reader, to pointer) engine.Future[[]byte] {
	return r.Get(s.keys.slot(nil, to.partition, to.at))
}

// awaitRecord finishes getRecord, into ev, reading the further chunks of a record
// that has them. ok is false when the slot is empty: the event was scavenged.
func (s *Store) awaitRecord(d *recordDecoder, r engine.Reader, to pointer, slot engine.Future[[]byte], ev *Event) (ok bool, err error) {
	value, err := slot.Get()
	chunks := []engine.KeyValue{{Value: value}}
	if err == nil && isChunked(value) {
		var page engine.Page
		page, err = r.GetRange(s.keys.record(to.partition, to.at), engine.RangeOptions{}).Get()
		chunks = page.KeyValues
	}
	if err != nil {
		return false, fmt.Errorf("reading event at position %s: %w", to.at, err)
	}
	if value == nil {
		return false, fmt.Errorf("event at position %s, partition %d: %w: an index names it, but it is not in the log", to.at, to.partition, ErrCorrupt)
	}
	return d.event(to.at, chunks, ev)
}

// readEvent reads one event by its stream and revision. ok is false when it is
// not there, or was scavenged.
func (s *Store) readEvent(r engine.Reader, stream string, revision int64) (ev Event, ok bool, err error) {
	value, err := r.Get(s.keys.entry(nil, stream, revision)).Get()
	if err != nil || value == nil {
		return ev, false, err
	}
	return s.readEntry(new(recordDecoder), r, engine.KeyValue{Key: s.keys.entry(nil, stream, revision), Value: value})
}

// readEntry decodes the event of a stream entry, reading its record if that is not
// in the entry.
func (s *Store) readEntry(d *recordDecoder, r engine.Reader, kv engine.KeyValue) (ev Event, ok bool, err error) {
	e, err := decodeEntry(kv.Value)
	if err != nil {
		return ev, false, fmt.Errorf("key %x: %w", kv.Key, err)
	}
	if e.record == nil {
		to := pointer{e.at, e.partition}
		ok, err = s.awaitRecord(d, r, to, s.getRecord(r, to), &ev)
		return ev, ok, err
	}
	if err = d.record(e.record, &ev); err != nil {
		return ev, false, fmt.Errorf("key %x: %w", kv.Key, err)
	}
	ev.Position = e.at
	return ev, true, nil
}
