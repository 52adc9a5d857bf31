package fdblayer

import (
	"context"

	"github.com/fdbevents/fdbevents"
)

// PartitionReader reads the events of one partition in the order of the log, page by
// page. It is exported for the packages of this module. It is not safe for concurrent
// use.
type PartitionReader struct {
	door Door
	at   cursor
}

// PartitionPage is a run of consecutive events of one partition.
type PartitionPage struct {
	// Events holds every event that the filter selects, and possibly others: the caller
	// must apply the filter. The slice and the events belong to the caller.
	Events []*fdbevents.Event
	// Through is the position up to which the partition has been read.
	Through fdbevents.Position
	// Tail is true if there was nothing more to read.
	Tail bool
}

// Partition returns a reader of partition p that begins after a position. If an index
// serves the filter, the reader does not read what the filter does not select.
func (d Door) Partition(p int, after fdbevents.Position, f fdbevents.Filter) *PartitionReader {
	return &PartitionReader{door: d, at: d.store.newPartitionCursor(p, after, ReadOptions{Filter: f})}
}

// Next reads the next page, in a transaction of its own. After an error, the next call
// reads the same page.
func (r *PartitionReader) Next(ctx context.Context) (PartitionPage, error) {
	f := r.door.fetch(ctx, r.at)
	if f.err != nil {
		return PartitionPage{}, f.err
	}
	r.at = f.next
	return PartitionPage{Events: f.events, Through: f.through, Tail: f.tail}, nil
}
