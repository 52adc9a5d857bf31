package fdblayer

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// readEvent reads one event by its stream and revision. ok is false if there is no such
// event or it was scavenged.
func (s *Store) readEvent(r engine.Reader, stream string, revision int64) (ev fdbevents.Event, ok bool, err error) {
	value, err := r.Get(s.keys.Entry(nil, stream, revision)).Get()
	if err != nil || value == nil {
		return ev, false, err
	}
	return s.readEntry(new(layout.RecordDecoder), r, engine.KeyValue{Key: s.keys.Entry(nil, stream, revision), Value: value})
}

// readEntry decodes the event of a stream entry, and reads its record if the entry does
// not hold it. ok is false if the event was scavenged.
func (s *Store) readEntry(d *layout.RecordDecoder, r engine.Reader, kv engine.KeyValue) (ev fdbevents.Event, ok bool, err error) {
	e, err := layout.DecodeEntry(kv.Value)
	if err != nil {
		return ev, false, fmt.Errorf("key %x: %w", kv.Key, err)
	}
	if e.Record == nil {
		to := layout.Pointer{At: e.At, Partition: e.Partition}
		ok, err = s.keys.AwaitRecord(d, r, to, s.keys.GetRecord(r, to), &ev)
		return ev, ok, err
	}
	if err = d.Record(e.Record, &ev); err != nil {
		return ev, false, fmt.Errorf("key %x: %w", kv.Key, err)
	}
	ev.Position = e.At
	return ev, true, nil
}

// replaceRecord writes value into the slot of a record, and removes the further chunks of
// a record that has them. slot is the read of the present value. Most records have one
// chunk and need no ClearRange: the embedded engine keeps each one, and later reads pay
// for it.
func (s *Store) replaceRecord(tr engine.Transaction, to layout.Pointer, slot engine.Future[[]byte], value []byte) error {
	old, err := slot.Get()
	if err != nil {
		return err
	}
	chunks := s.keys.Record(to.Partition, to.At)
	if layout.IsChunked(old) {
		tr.ClearRange(engine.Range{Begin: layout.After(chunks.Begin), End: chunks.End})
	}
	tr.Set(chunks.Begin, value)
	return nil
}
