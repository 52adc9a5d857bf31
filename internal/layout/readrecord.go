package layout

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// GetRecord starts reading the slot of the event that to points to. AwaitRecord
// finishes it.
func (k Keys) GetRecord(r engine.Reader, to Pointer) engine.Future[[]byte] {
	return r.Get(k.Slot(nil, to.Partition, to.At))
}

// AwaitRecord awaits the slot that GetRecord began to read, with the same to, reads the
// record's further chunks if it has any, and decodes it into ev. ok is false if the
// slot is empty because the event was scavenged. A slot that does not exist at all is
// an error that wraps ErrCorrupt.
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
		return false, fmt.Errorf("event at position %s, partition %d: %w: an index points to it, but it is not in the log", to.At, to.Partition, fdbevents.ErrCorrupt)
	}
	return d.Event(to.At, chunks, ev)
}
