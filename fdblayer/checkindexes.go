package fdblayer

import (
	"context"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// ids verifies that each event id leads to a stream entry at the same position.
func (c *checker) ids(ctx context.Context) error {
	s := c.store
	return c.scan(ctx, s.keys.IDs(), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
		entries := make([]engine.Future[[]byte], len(kvs))
		positions := make([]fdbevents.Position, len(kvs))
		for i, kv := range kvs {
			_, stream, err := s.keys.ParseID(kv.Key)
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
			entries[i] = r.Get(s.keys.Entry(nil, stream, e.Revision))
		}
		for i, value := range entries {
			if value == nil {
				continue
			}
			got, err := value.Get()
			if err != nil {
				return err
			}
			id, stream, _ := s.keys.ParseID(kvs[i].Key)
			if got == nil {
				// An id is kept when its event is scavenged, to recognise repeats.
				e, _ := layout.DecodeIDEntry(kvs[i].Value)
				if h, err := s.readHead(r, stream); err != nil {
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
	return c.scan(ctx, c.store.keys.AllTagged(""), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
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
	s := c.store
	indexes, err := s.readIndexes(r)
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
		tag, _, err := s.keys.ParseTag(kv.Key)
		var to layout.Pointer
		if err == nil {
			to, _, err = source{tag: tag}.pointer(&s.keys, kv)
		}
		if err != nil {
			f.problem("tag entry %x: %v", kv.Key, err)
			continue
		}
		f.tags++
		all = append(all, pending{tag, to, s.getRecord(r, to)})
	}
	for _, x := range all {
		var ev fdbevents.Event
		ok, err := s.awaitRecord(d, r, x.to, x.record, &ev)
		switch {
		case isEngineError(err):
			return err
		case err != nil:
			f.problem("tag %q: %v", x.tag, err)
		case !ok:
			f.mendable(mendStrayTag(x.tag, x.to.At), "tag %q leads to the event at position %s, which was scavenged", x.tag, x.to.At)
		case !slices.Contains(indexes.tags(slices.Clone(ev.Tags), ev.Stream, ev.Type), x.tag):
			f.mendable(mendStrayTag(x.tag, x.to.At), "tag %q leads to the event at position %s, which does not have it", x.tag, x.to.At)
		}
	}
	return nil
}

// doorbells verifies that each was rung with the last event of its partition.
func (c *checker) doorbells(ctx context.Context) error {
	s := c.store
	for p := range s.header.Partitions {
		var f findings
		err := s.view(ctx, func(r reader) error {
			f = findings{}
			bell := r.Get(s.keys.Doorbell(nil, p))
			last, err := r.GetRange(s.keys.Log(p, fdbevents.Start, fdbevents.End), engine.RangeOptions{Limit: 1, Reverse: true}).Get()
			if err != nil {
				return err
			}
			value, err := bell.Get()
			if err != nil || len(last.KeyValues) == 0 {
				return err
			}
			at, _, err := s.keys.ParseSlot(p, last.KeyValues[0].Key)
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
