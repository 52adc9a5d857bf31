package check

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// indexed is an event of the log, and what its indexes say about it.
type indexed struct {
	event fdbevents.Event
	// partition is the one whose log holds the event.
	partition int
	// raw is the value of the event's slot.
	raw   []byte
	entry engine.Future[[]byte]
	id    engine.Future[[]byte]
	// names are the event's tags, including those of system indexes; tags are their
	// index entries.
	names []string
	tags  []engine.Future[[]byte]
}

// verify compares the indexes with the event.
func (x *indexed) verify(f *findings) error {
	ev := &x.event
	name := fmt.Sprintf("event %s at position %s", ev.ID, ev.Position)
	to := layout.Pointer{At: ev.Position, Partition: x.partition}
	value, err := x.entry.Get()
	if err != nil {
		return err
	}
	if value == nil {
		f.repairable(repairEntry(to), "%s: stream %q has no entry for its revision %d", name, ev.Stream, ev.Revision)
	} else if e, err := layout.DecodeEntry(value); err != nil {
		f.repairable(repairEntry(to), "%s: entry of stream %q, revision %d: %v", name, ev.Stream, ev.Revision, err)
	} else if e.At != ev.Position || e.Partition != x.partition {
		f.repairable(repairEntry(to), "%s: the entry of stream %q, revision %d leads to position %s, partition %d", name, ev.Stream, ev.Revision, e.At, e.Partition)
	} else if e.Record != nil && !bytes.Equal(e.Record, x.raw) {
		f.repairable(repairEntry(to), "%s: the copy in stream %q, revision %d differs from the record", name, ev.Stream, ev.Revision)
	}
	if value, err = x.id.Get(); err != nil {
		return err
	}
	if value == nil {
		f.repairable(repairID(to), "%s: its id has no index entry for stream %q", name, ev.Stream)
	} else if e, err := layout.DecodeIDEntry(value); err != nil {
		f.repairable(repairID(to), "%s: index entry of its id: %v", name, err)
	} else if e.At != ev.Position || e.Revision != ev.Revision {
		f.repairable(repairID(to), "%s: the index entry of its id leads to revision %d at position %s", name, e.Revision, e.At)
	}
	for i, tag := range x.tags {
		if value, err = tag.Get(); err != nil {
			return err
		}
		if value == nil {
			f.repairable(repairTag(to, x.names[i]), "%s: no entry in the index of its tag %q", name, x.names[i])
		} else if p, err := layout.DecodeTagEntry(value); err != nil || p != x.partition {
			f.repairable(repairTag(to, x.names[i]), "%s: the index entry of its tag %q leads to partition %d (%v)", name, x.names[i], p, err)
		}
	}
	return nil
}

// readIndexed begins to read everything that should lead to an event.
func (c *checker) readIndexed(r engine.Reader, ev fdbevents.Event, partition int, raw []byte, indexes []layout.SystemIndex) indexed {
	x := indexed{
		event:     ev,
		partition: partition,
		raw:       raw,
		entry:     r.Get(c.keys.Entry(nil, ev.Stream, ev.Revision)),
		id:        r.Get(c.keys.ID(nil, ev.ID, ev.Stream)),
	}
	x.names = slices.Clone(ev.Tags)
	for _, index := range indexes {
		if tag, ok := layout.SystemTag(index.Name, ev.Stream, ev.Type); ok && index.Ready {
			x.names = append(x.names, tag)
		}
	}
	for _, tag := range x.names {
		x.tags = append(x.tags, r.Get(c.keys.Tag(nil, tag, ev.Position)))
	}
	return x
}

// ids verifies that each event id leads to a stream entry with the same position.
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
				// The id of a scavenged event is kept, to recognise repeats.
				e, _ := layout.DecodeIDEntry(kvs[i].Value)
				if h, err := c.head(r, stream); err != nil {
					return err
				} else if e.Revision < h.TruncateBefore {
					continue
				}
			}
			if e, err := layout.DecodeEntry(got); err != nil || e.At != positions[i] {
				f.repairable(removeStrayID(id, stream), "event id %s leads to position %s of stream %q, which does not hold that event", id, positions[i], stream)
			}
		}
		return nil
	})
}

// tags verifies that each tag leads to an event that has it.
func (c *checker) tags(ctx context.Context) error {
	var d layout.RecordDecoder
	return c.scan(ctx, c.keys.AllTagged(""), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
		// Records can be large, so read few at a time.
		for kvs := range slices.Chunk(kvs, 32) {
			if err := c.tagEntries(r, &d, kvs, f); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *checker) tagEntries(r engine.Reader, d *layout.RecordDecoder, kvs []engine.KeyValue, f *findings) error {
	indexes, err := c.systemIndexes(r)
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
			f.repairable(removeStrayTag(x.tag, x.to.At), "tag %q leads to the event at position %s, which was scavenged", x.tag, x.to.At)
		case !slices.Contains(layout.AppendSystemTags(slices.Clone(ev.Tags), indexes, ev.Stream, ev.Type), x.tag):
			f.repairable(removeStrayTag(x.tag, x.to.At), "tag %q leads to the event at position %s, which does not have it", x.tag, x.to.At)
		}
	}
	return nil
}
