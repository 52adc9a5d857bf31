package layout

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// GetRecord starts reading the record at a place in the log.
func (k Keys) GetRecord(r engine.Reader, to Pointer) engine.Future[[]byte] {
	return r.Get(k.Slot(nil, to.Partition, to.At))
}

// AwaitRecord finishes GetRecord, into ev, reading the further chunks of a record
// that has them. ok is false when the slot is empty: the event was scavenged.
func (k Keys) AwaitRecord(d *RecordDecoder, r engine.Reader, to Pointer, slot engine.Future[[]byte], ev *fdbevents.Event) (ok bool, err error) {
	value, err := slot.Get()
	chunks := []engine.KeyValue{{Value: value}}
	if err == nil && IsChunked(value) {
		var page engine.Page
		page, err = r.GetRange(k.Record(to.Partition, to.At), engine.RangeOptions{}).Get()
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
