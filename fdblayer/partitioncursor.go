package fdblayer

import (
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// partitionCursor reads one partition of the log, forward. Nothing is merged, so
// its pages are in the partition's order only.
type partitionCursor struct {
	store     *Store
	partition int
	// after is the position up to which the partition has been read.
	after Position
}

// partitionPageBytes bounds a page: several partitions are read by one consumer,
// and their pages wait in memory.
const partitionPageBytes = 64 << 10

// newPartitionCursor begins with the first event of a partition after a position.
// The pages hold at least the events that prefix and query select; the caller
// checks each.
func (s *Store) newPartitionCursor(partition int, after Position, prefix string, query *Query) cursor {
	return &partitionCursor{store: s, partition: partition, after: after}
}

func (c *partitionCursor) read(tr engine.Transaction) (page, cursor, error) {
	s, p := c.store, c.partition
	r := tr.Snapshot()
	got, err := r.GetRange(s.keys.log(p, c.after.next(), End), engine.RangeOptions{Bytes: partitionPageBytes}).Get()
	if err != nil {
		return page{}, nil, fmt.Errorf("reading partition %d of the log: %w", p, err)
	}
	var part partCursor
	last, err := part.take(s, r, p, got, false)
	if err != nil {
		return page{}, nil, fmt.Errorf("reading partition %d of the log: %w", p, err)
	}
	next := *c
	next.after = last
	if !got.More {
		version, err := tr.ReadVersion().Get()
		if err != nil {
			return page{}, nil, err
		}
		next.after = lastOfVersion(version)
	}
	out := page{tail: !got.More, through: next.after}
	for i := range part.waiting {
		out.events = append(out.events, &part.waiting[i])
	}
	return out, &next, nil
}
