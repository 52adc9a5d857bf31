package fdblayer

import (
	"context"

	"github.com/fdbevents/fdbevents"
)

// PartitionReader reads the events of one partition in the order of the log, page by
// page. It is for one goroutine at a time.
type PartitionReader struct {
	door Door
	at   cursor
}

// PartitionPage is a run of events of one partition.
type PartitionPage struct {
	// Events are those that the filter may select, and others: the caller asks the
	// filter. They belong to the caller.
	Events []*fdbevents.Event
	// Through is the position up to which the partition has been read.
	Through fdbevents.Position
	// Tail is true when there was nothing more to read.
	Tail bool
}

// Partition begins after a position. The filter spares reading what it does not
// select, where an index serves it.
func (d Door) Partition(p int, after fdbevents.Position, f fdbevents.Filter) *PartitionReader {
	return &PartitionReader{door: d, at: d.store.newPartitionCursor(p, after, ReadOptions{Filter: f})}
}

// Next reads a page, in a transaction of its own. After an error, it reads the same
// page again.
func (r *PartitionReader) Next(ctx context.Context) (PartitionPage, error) {
	f := r.door.fetch(ctx, r.at)
	if f.err != nil {
		return PartitionPage{}, f.err
	}
	r.at = f.next
	return PartitionPage{Events: f.events, Through: f.through, Tail: f.tail}, nil
}
