package check

import (
	"bytes"
	"context"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// log verifies each record, and that all its indexes lead to it.
func (c *checker) log(ctx context.Context) error {
	for p := range c.door.Partitions() {
		if err := c.scan(ctx, c.keys.Log(p, fdbevents.Start, fdbevents.End), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
			return c.slots(r, p, kvs, f)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) slots(r engine.Reader, p int, kvs []engine.KeyValue, f *findings) error {
	var d layout.RecordDecoder
	indexes, err := c.systemIndexes(r)
	if err != nil {
		return err
	}
	var all []indexed
	slot := c.keys.SlotSize(p)
	for i, kv := range kvs {
		at, chunk, err := c.keys.ParseSlot(p, kv.Key)
		if err != nil {
			f.problem("log of partition %d: %v", p, err)
			continue
		}
		var ev fdbevents.Event
		ok := true
		switch {
		case chunk > 0 && i > 0 && bytes.Equal(kvs[i-1].Key[:slot], kv.Key[:slot]):
			continue // part of the slot before it
		case chunk > 0 || layout.IsChunked(kv.Value):
			ok, err = c.keys.AwaitRecord(&d, r, layout.Pointer{At: at, Partition: p}, c.keys.GetRecord(r, layout.Pointer{At: at, Partition: p}), &ev)
			if chunk > 0 && err == nil {
				continue // its slot was in the previous page
			}
		default:
			ok, err = d.Event(at, kvs[i:i+1], &ev)
		}
		switch {
		case fdblayer.IsEngineError(err):
			return err
		case err != nil:
			f.problem("partition %d: %v", p, err)
			continue
		}
		f.events++
		if !ok {
			continue
		}
		if want := c.door.PartitionOf(ev.Stream); want != p {
			f.problem("event at position %s: stream %q is in partition %d but belongs in %d", at, ev.Stream, p, want)
		}
		x := c.readIndexed(r, ev, p, kv.Value, indexes)
		f.expected += int64(len(x.names))
		all = append(all, x)
	}
	for i := range all {
		if err := all[i].verify(f); err != nil {
			return err
		}
	}
	return nil
}

// doorbells verifies that each was last rung for the last event of its partition.
func (c *checker) doorbells(ctx context.Context) error {
	for p := range c.door.Partitions() {
		var f findings
		err := c.door.View(ctx, func(r fdblayer.Reader) error {
			f = findings{}
			bell := r.Get(c.keys.Doorbell(nil, p))
			last, err := r.GetRange(c.keys.Log(p, fdbevents.Start, fdbevents.End), engine.RangeOptions{Limit: 1, Reverse: true}).Get()
			if err != nil {
				return err
			}
			value, err := bell.Get()
			if err != nil || len(last.KeyValues) == 0 {
				return err
			}
			at, _, err := c.keys.ParseSlot(p, last.KeyValues[0].Key)
			if err != nil {
				return err
			}
			rung, err := layout.DecodeDoorbell(value)
			if err != nil || layout.StampOf(rung) != layout.StampOf(at) {
				f.repairable(ringDoorbell(p), "doorbell of partition %d was last rung for %s, but its last event is at %s", p, rung, at)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := c.add(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
