package check

import (
	"context"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// ids verifies that each event id leads to a stream entry at the same position.
func (c *checker) ids(ctx context.Context) error {
	return c.scan(ctx, c.keys.IDs(), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
		entries := make([]engine.Future[[]byte], len(kvs))
		positions := make([]fdbevents.Position, len(kvs))
		for i, kv := range kvs {
			_, stream, err := c.keys.ParseID(kv.Key)
			var e layout.IDEntry
			if err == nil {
				e, err = layout.DecodeIDEntry(kv.Value)
			}
			if err != nil {
				f.problem("event id entry %x: %v", kv.Key, err)
				continue
			}
			f.ids++
			positions[i] = e.At
			entries[i] = r.Get(c.keys.Entry(nil, stream, e.Revision))
		}
		for i, value := range entries {
			if value == nil {
				continue
			}
			got, err := value.Get()
			if err != nil {
				return err
			}
			id, stream, _ := c.keys.ParseID(kvs[i].Key)
			if got == nil {
				// An id is kept when its event is scavenged, to recognise repeats.
				e, _ := layout.DecodeIDEntry(kvs[i].Value)
				if h, err := c.head(r, stream); err != nil {
					return err
				} else if e.Revision < h.TruncateBefore {
					continue
				}
			}
			if e, err := layout.DecodeEntry(got); err != nil || e.At != positions[i] {
				f.mendable(mendStrayID(id, stream), "event id %s leads to position %s of stream %q, where that event is not", id, positions[i], stream)
			}
		}
		return nil
	})
}

// tags verifies that each tag leads to an event that has it.
func (c *checker) tags(ctx context.Context) error {
	var d layout.RecordDecoder
	return c.scan(ctx, c.keys.AllTagged(""), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
		// Records can be long: only so many at a time.
		for kvs := range slices.Chunk(kvs, 32) {
			if err := c.tagEntries(r, &d, kvs, f); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *checker) tagEntries(r engine.Reader, d *layout.RecordDecoder, kvs []engine.KeyValue, f *findings) error {
	indexes, err := c.indexes(r)
	if err != nil {
		return err
	}
	type pending struct {
		tag    string
		to     layout.Pointer
		record engine.Future[[]byte]
	}
	all := make([]pending, 0, len(kvs))
	for _, kv := range kvs {
		tag, at, err := c.keys.ParseTag(kv.Key)
		to := layout.Pointer{At: at}
		if err == nil {
			to.Partition, err = layout.DecodeTagEntry(kv.Value)
		}
		if err != nil {
			f.problem("tag entry %x: %v", kv.Key, err)
			continue
		}
		f.tags++
		all = append(all, pending{tag, to, c.keys.GetRecord(r, to)})
	}
	for _, x := range all {
		var ev fdbevents.Event
		ok, err := c.keys.AwaitRecord(d, r, x.to, x.record, &ev)
		switch {
		case fdblayer.IsEngineError(err):
			return err
		case err != nil:
			f.problem("tag %q: %v", x.tag, err)
		case !ok:
			f.mendable(mendStrayTag(x.tag, x.to.At), "tag %q leads to the event at position %s, which was scavenged", x.tag, x.to.At)
		case !slices.Contains(layout.AppendSystemTags(slices.Clone(ev.Tags), indexes, ev.Stream, ev.Type), x.tag):
			f.mendable(mendStrayTag(x.tag, x.to.At), "tag %q leads to the event at position %s, which does not have it", x.tag, x.to.At)
		}
	}
	return nil
}

// doorbells verifies that each was rung with the last event of its partition.
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
				f.mendable(mendDoorbell(p), "doorbell of partition %d was last rung for %s, but its last event is at %s", p, rung, at)
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
