package fdblayer

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// getRecord starts reading the record at a place in the log.
func (s *Store) getRecord(r engine.Reader, to layout.Pointer) engine.Future[[]byte] {
	return r.Get(s.keys.Slot(nil, to.Partition, to.At))
}

// awaitRecord finishes getRecord, into ev, reading the further chunks of a record
// that has them. ok is false when the slot is empty: the event was scavenged.
func (s *Store) awaitRecord(d *layout.RecordDecoder, r engine.Reader, to layout.Pointer, slot engine.Future[[]byte], ev *fdbevents.Event) (ok bool, err error) {
	value, err := slot.Get()
	chunks := []engine.KeyValue{{Value: value}}
	if err == nil && layout.IsChunked(value) {
		var page engine.Page
		page, err = r.GetRange(s.keys.Record(to.Partition, to.At), engine.RangeOptions{}).Get()
		chunks = page.KeyValues
	}
	if err != nil {
		return false, fmt.Errorf("reading event at position %s: %w", to.At, err)
	}
	if value == nil {
		return false, fmt.Errorf("event at position %s, partition %d: %w: an index names it, but it is not in the log", to.At, to.Partition, fdbevents.ErrCorrupt)
	}
	return d.Event(to.At, chunks, ev)
}

// readEvent reads one event by its stream and revision. ok is false when it is
// not there, or was scavenged.
func (s *Store) readEvent(r engine.Reader, stream string, revision int64) (ev fdbevents.Event, ok bool, err error) {
	value, err := r.Get(s.keys.Entry(nil, stream, revision)).Get()
	if err != nil || value == nil {
		return ev, false, err
	}
	return s.readEntry(new(layout.RecordDecoder), r, engine.KeyValue{Key: s.keys.Entry(nil, stream, revision), Value: value})
}

// readEntry decodes the event of a stream entry, reading its record if that is not
// in the entry.
func (s *Store) readEntry(d *layout.RecordDecoder, r engine.Reader, kv engine.KeyValue) (ev fdbevents.Event, ok bool, err error) {
	e, err := layout.DecodeEntry(kv.Value)
	if err != nil {
		return ev, false, fmt.Errorf("key %x: %w", kv.Key, err)
	}
	if e.Record == nil {
		to := layout.Pointer{At: e.At, Partition: e.Partition}
		ok, err = s.awaitRecord(d, r, to, s.getRecord(r, to), &ev)
		return ev, ok, err
	}
	if err = d.Record(e.Record, &ev); err != nil {
		return ev, false, fmt.Errorf("key %x: %w", kv.Key, err)
	}
	ev.Position = e.At
	return ev, true, nil
}
