package check

import (
	"context"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// heads verifies that each head names the revision after the last of its stream.
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
				f.repairable(repairHead(p.stream), "stream %q: its head names revision %d as the next, but its last entry is %d", p.stream, p.head.Next, last)
			}
			if p.head.Next > 0 {
				f.streams++
				f.expected += 1 + 3*p.head.Next // head, slots, entries and ids
			}
		}
		return nil
	})
}

// entries verifies that revisions have no gaps and rise with positions, and that each
// entry leads to a slot of the log.
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
			if before := f.previous; before.stream != stream {
				if err := c.firstEntry(r, stream, revision, f); err != nil {
					return err
				}
			} else if revision != before.revision+1 {
				// The events between may have been scavenged since the previous page.
				if h, err := c.head(r, stream); err != nil {
					return err
				} else if revision > h.TruncateBefore {
					f.problem("stream %q: revision %d is followed by %d", stream, before.revision, revision)
				}
			} else if !before.at.Before(e.At) {
				f.problem("stream %q: revision %d is at position %s, which is not after %s, the position of the revision before it", stream, revision, e.At, before.at)
			}
			f.previous = entryPosition{stream, revision, e.At}
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
				f.problem("stream entry %x leads to a position that is not in the log", kvs[i].Key)
			case known && (entryName{stream, revision}) != names[i]:
				f.repairable(removeStrayEntry(names[i]), "stream %q: its entry for revision %d leads to revision %d of stream %q", names[i].stream, names[i].revision, revision, stream)
			}
		}
		return nil
	})
}

// entryName identifies a stream entry.
type entryName struct {
	stream   string
	revision int64
}

// firstEntry verifies that a stream has a head, and that it begins at revision 0 or where
// it was truncated.
func (c *checker) firstEntry(r engine.Reader, stream string, revision int64, f *findings) error {
	value, err := r.Get(c.keys.Head(nil, stream)).Get()
	if err != nil {
		return err
	}
	switch h, err := layout.DecodeHead(value); {
	case err != nil: // heads reports it
	case value == nil:
		f.repairable(repairHead(stream), "stream %q has events but no head", stream)
	case revision > h.TruncateBefore:
		f.problem("stream %q begins at revision %d, but is truncated only before revision %d", stream, revision, h.TruncateBefore)
	}
	return nil
}
