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

// heads verifies that each head tells the end of its stream.
func (c *checker) heads(ctx context.Context) error {
	return c.scan(ctx, c.keys.Heads(""), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
		type pending struct {
			stream string
			head   layout.Head
			last   engine.Future[engine.Page]
		}
		var all []pending
		for _, kv := range kvs {
			stream, err := c.keys.ParseHead(kv.Key)
			var h layout.Head
			if err == nil {
				h, err = layout.DecodeHead(kv.Value)
			}
			if err != nil {
				f.problem("head %x: %v", kv.Key, err)
				continue
			}
			h.Metadata = nil
			last := r.GetRange(c.keys.Entries(stream, 0, fdbevents.StreamEnd), engine.RangeOptions{Limit: 1, Reverse: true})
			all = append(all, pending{stream, h, last})
		}
		for _, p := range all {
			page, err := p.last.Get()
			if err != nil {
				return err
			}
			last := int64(-1)
			if len(page.KeyValues) > 0 {
				if _, last, err = c.keys.ParseEntry(page.KeyValues[0].Key); err != nil {
					f.problem("%v", err)
					continue
				}
			}
			if last != p.head.Next-1 && !(last == -1 && p.head.TruncateBefore == p.head.Next) {
				f.mendable(mendHead(p.stream), "stream %q: its head says that revision %d is next, but its last entry is %d", p.stream, p.head.Next, last)
			}
			if p.head.Next > 0 {
				f.streams++
				f.expected += 1 + 3*p.head.Next // head, slots, entries and ids
			}
		}
		return nil
	})
}

// log verifies each record, and that all indexes lead to it.
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

// indexed is what a record's indexes say.
type indexed struct {
	event fdbevents.Event
	// partition is where the event was found.
	partition int
	raw       []byte
	entry     engine.Future[[]byte]
	id        engine.Future[[]byte]
	// names are the tags, those of system indexes too, that tags are entries of.
	names []string
	tags  []engine.Future[[]byte]
}

func (c *checker) slots(r engine.Reader, p int, kvs []engine.KeyValue, f *findings) error {
	var d layout.RecordDecoder
	indexes, err := c.indexes(r)
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
			continue // belongs to the slot before it
		case chunk > 0 || layout.IsChunked(kv.Value):
			ok, err = c.keys.AwaitRecord(&d, r, layout.Pointer{At: at, Partition: p}, c.keys.GetRecord(r, layout.Pointer{At: at, Partition: p}), &ev)
			if chunk > 0 && err == nil {
				continue // its slot was looked at in the page before
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
			f.problem("event at position %s: stream %q is in partition %d, belongs in %d", at, ev.Stream, p, want)
		}
		x := c.newIndexed(r, ev, p, kv.Value, indexes)
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

func (x *indexed) verify(f *findings) error {
	ev := &x.event
	name := fmt.Sprintf("event %s at position %s", ev.ID, ev.Position)
	to := layout.Pointer{At: ev.Position, Partition: x.partition}
	value, err := x.entry.Get()
	if err != nil {
		return err
	}
	if value == nil {
		f.mendable(mendEntry(to), "%s: stream %q has no entry for its revision %d", name, ev.Stream, ev.Revision)
	} else if e, err := layout.DecodeEntry(value); err != nil {
		f.mendable(mendEntry(to), "%s: entry of stream %q, revision %d: %v", name, ev.Stream, ev.Revision, err)
	} else if e.At != ev.Position || e.Partition != x.partition {
		f.mendable(mendEntry(to), "%s: the entry of stream %q, revision %d leads to position %s, partition %d", name, ev.Stream, ev.Revision, e.At, e.Partition)
	} else if e.Record != nil && !bytes.Equal(e.Record, x.raw) {
		f.mendable(mendEntry(to), "%s: the copy in stream %q, revision %d differs from the record", name, ev.Stream, ev.Revision)
	}
	if value, err = x.id.Get(); err != nil {
		return err
	}
	if value == nil {
		f.mendable(mendID(to), "%s: its id is not in the index of stream %q", name, ev.Stream)
	} else if e, err := layout.DecodeIDEntry(value); err != nil {
		f.mendable(mendID(to), "%s: index entry of its id: %v", name, err)
	} else if e.At != ev.Position || e.Revision != ev.Revision {
		f.mendable(mendID(to), "%s: the index entry of its id leads to revision %d at position %s", name, e.Revision, e.At)
	}
	for i, tag := range x.tags {
		if value, err = tag.Get(); err != nil {
			return err
		}
		if value == nil {
			f.mendable(mendTag(to, x.names[i]), "%s: it is not in the index of its tag %q", name, x.names[i])
		} else if p, err := layout.DecodeTagEntry(value); err != nil || p != x.partition {
			f.mendable(mendTag(to, x.names[i]), "%s: the index entry of its tag %q leads to partition %d (%v)", name, x.names[i], p, err)
		}
	}
	return nil
}

// newIndexed starts reading all that leads to an event.
func (c *checker) newIndexed(r engine.Reader, ev fdbevents.Event, partition int, raw []byte, indexes []layout.SystemIndex) indexed {
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

// entries verifies that revisions have no gaps, rise with positions, and that
// each entry leads to a slot of the log.
func (c *checker) entries(ctx context.Context) error {
	return c.scan(ctx, c.keys.AllEntries(), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
		var d layout.RecordDecoder
		slots := make([]engine.Future[[]byte], len(kvs))
		names := make([]entryName, len(kvs))
		for i, kv := range kvs {
			stream, revision, err := c.keys.ParseEntry(kv.Key)
			var e layout.Entry
			if err == nil {
				e, err = layout.DecodeEntry(kv.Value)
			}
			if err != nil {
				f.problem("stream entry %x: %v", kv.Key, err)
				continue
			}
			names[i] = entryName{stream, revision}
			slots[i] = r.Get(c.keys.Slot(nil, e.Partition, e.At))
			if before := f.entry; before.stream != stream {
				if err := c.firstEntry(r, stream, revision, f); err != nil {
					return err
				}
			} else if revision != before.revision+1 {
				// Those between may have been scavenged since the page before.
				if h, err := c.head(r, stream); err != nil {
					return err
				} else if revision > h.TruncateBefore {
					f.problem("stream %q: revision %d is followed by %d", stream, before.revision, revision)
				}
			} else if !before.at.Before(e.At) {
				f.problem("stream %q: revision %d is at position %s, not after that of the one before, %s", stream, revision, e.At, before.at)
			}
			f.entry = checkedEntry{stream, revision, e.At}
		}
		for i, slot := range slots {
			if slot == nil {
				continue
			}
			value, err := slot.Get()
			if err != nil {
				return err
			}
			switch stream, revision, known := d.Owner(value); {
			case value == nil:
				f.problem("stream entry %x leads to a place where the log has nothing", kvs[i].Key)
			case known && (entryName{stream, revision}) != names[i]:
				f.mendable(mendStrayEntry(names[i]), "stream %q: its entry for revision %d leads to revision %d of stream %q", names[i].stream, names[i].revision, revision, stream)
			}
		}
		return nil
	})
}

// entryName is what a stream entry is of.
type entryName struct {
	stream   string
	revision int64
}

// firstEntry verifies that a stream has a head, and begins at revision 0, or where
// it was truncated.
func (c *checker) firstEntry(r engine.Reader, stream string, revision int64, f *findings) error {
	value, err := r.Get(c.keys.Head(nil, stream)).Get()
	if err != nil {
		return err
	}
	switch h, err := layout.DecodeHead(value); {
	case err != nil: // that is for heads to say
	case value == nil:
		f.mendable(mendHead(stream), "stream %q has events, but no head", stream)
	case revision > h.TruncateBefore:
		f.problem("stream %q begins at revision %d, but is truncated before %d only", stream, revision, h.TruncateBefore)
	}
	return nil
}
