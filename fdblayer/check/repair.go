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
	"github.com/google/uuid"
)

// repair repairs one problem. It decides anew, with serializable reads, and so is right
// at the moment of the commit. It leaves alone what it cannot read.
type repair func(c *checker, tr engine.Transaction) (repaired, error)

// repaired is the result of a repair.
type repaired struct {
	// done says what was done, "" if nothing.
	done string
	// wrong is true if the problem persists.
	wrong bool
}

var (
	nothingWrong = repaired{}
	stillWrong   = repaired{wrong: true}
)

// repairsAtOnce bounds the repairs of one transaction, because each may have to read a
// record of 8 MiB.
const repairsAtOnce = 20

// repairAll repairs what it can, and returns the rest.
func (c *checker) repairAll(ctx context.Context, all []finding) (rest []finding, err error) {
	for some := range slices.Chunk(all, repairsAtOnce) {
		results := make([]repaired, len(some))
		// done remembers earlier attempts, one of which may have been committed.
		done := make([]string, len(some))
		err := c.door.Update(ctx, func(tr engine.Transaction, _ error) error {
			for i, p := range some {
				if results[i] = stillWrong; p.repair == nil {
					continue
				}
				got, err := p.repair(c, tr)
				switch {
				case fdblayer.IsEngineError(err):
					return err
				case err != nil:
					continue
				case got.done != "":
					done[i] = got.done
				case !got.wrong:
					got.done = done[i]
				}
				results[i] = got
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for i, p := range some {
			switch got := results[i]; {
			case got.wrong:
				rest = append(rest, p)
			case got.done != "":
				if c.report.Mended++; len(c.report.Repairs) < maxProblems {
					c.report.Repairs = append(c.report.Repairs, p.problem+": "+got.done)
				}
			}
		}
	}
	return rest, nil
}

// record is what the log holds at a position.
type record struct {
	fdbevents.Event
	// present is false if the log has no slot there, scavenged true if the slot is
	// empty. In both cases there is no event.
	present, scavenged bool
	// slot is the value of the slot, size the size of the whole record in bytes.
	slot []byte
	size int
}

// is reports whether r is the event at a revision of a stream.
func (r *record) is(stream string, revision int64) bool {
	return r.present && !r.scavenged && r.Stream == stream && r.Revision == revision
}

// readRecord reads and verifies a record.
func (c *checker) readRecord(tr engine.Transaction, to layout.Pointer) (r record, err error) {
	slot := c.keys.GetRecord(tr, to)
	if r.slot, err = slot.Get(); err != nil || r.slot == nil {
		return r, err
	}
	var d layout.RecordDecoder
	r.present = true
	ok, err := c.keys.AwaitRecord(&d, tr, to, slot, &r.Event)
	if err != nil {
		return r, err
	}
	r.scavenged = !ok
	r.size = len(r.slot)
	if layout.IsChunked(r.slot) {
		r.size, _, err = layout.DecodeChunkHeader(r.slot)
	}
	return r, err
}

// repairEntry rewrites the stream entry of the event at a position.
func repairEntry(to layout.Pointer) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		r, err := c.readRecord(tr, to)
		if err != nil || !r.present || r.scavenged {
			return nothingWrong, err
		}
		if c.door.PartitionOf(r.Stream) != to.Partition {
			return stillWrong, nil
		}
		key := c.keys.Entry(nil, r.Stream, r.Revision)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		inline := r.slot
		if len(inline) > c.door.InlineLimit() || r.size != len(inline) {
			inline = nil
		}
		if e, err := layout.DecodeEntry(value); value != nil && err == nil {
			if (layout.Pointer{At: e.At, Partition: e.Partition}) == to {
				if e.Record == nil || bytes.Equal(e.Record, r.slot) {
					return nothingWrong, nil
				}
			} else if other, err := c.readRecord(tr, layout.Pointer{At: e.At, Partition: e.Partition}); err != nil || other.is(r.Stream, r.Revision) {
				return stillWrong, err // two events claim the entry
			}
		}
		tr.Set(key, layout.AppendEntry(nil, layout.Entry{Partition: to.Partition, At: to.At, Size: r.size, Record: inline}))
		return repaired{done: "stream entry rewritten"}, nil
	}
}

// repairID rewrites the id index entry of the event at a position.
func repairID(to layout.Pointer) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		r, err := c.readRecord(tr, to)
		if err != nil || !r.present || r.scavenged {
			return nothingWrong, err
		}
		key := c.keys.ID(nil, r.ID, r.Stream)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		if e, err := layout.DecodeIDEntry(value); value != nil && err == nil {
			if e.At == to.At && e.Revision == r.Revision {
				return nothingWrong, nil
			}
			if e.At != to.At {
				other, err := c.readRecord(tr, layout.Pointer{At: e.At, Partition: to.Partition})
				if err != nil || other.is(r.Stream, other.Revision) && other.ID == r.ID {
					return stillWrong, err // two events claim the id
				}
			}
		}
		tr.Set(key, layout.AppendIDEntry(nil, layout.IDEntry{Revision: r.Revision, At: to.At}))
		return repaired{done: "id index entry rewritten"}, nil
	}
}

// tagsOf returns the tags that should lead to an event, including those of system
// indexes.
func (c *checker) tagsOf(tr engine.Transaction, ev *fdbevents.Event) ([]string, error) {
	indexes, err := c.systemIndexes(tr)
	if err != nil {
		return nil, err
	}
	return layout.AppendSystemTags(slices.Clone(ev.Tags), indexes, ev.Stream, ev.Type), nil
}

// repairTag rewrites the index entry of a tag of the event at a position.
func repairTag(to layout.Pointer, tag string) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		r, err := c.readRecord(tr, to)
		if err != nil || !r.present || r.scavenged {
			return nothingWrong, err
		}
		tags, err := c.tagsOf(tr, &r.Event)
		if err != nil || !slices.Contains(tags, tag) {
			return nothingWrong, err // its index was dropped
		}
		key := c.keys.Tag(nil, tag, to.At)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		if p, err := layout.DecodeTagEntry(value); value != nil && err == nil && p == to.Partition {
			return nothingWrong, nil
		}
		tr.Set(key, layout.AppendTagEntry(nil, to.Partition))
		return repaired{done: "tag index entry rewritten"}, nil
	}
}

// removeStrayEntry removes a stream entry that leads to another event.
func removeStrayEntry(name entryName) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		key := c.keys.Entry(nil, name.stream, name.revision)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		e, err := layout.DecodeEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := c.readRecord(tr, layout.Pointer{At: e.At, Partition: e.Partition})
		switch {
		case err != nil || !r.present || r.scavenged:
			return stillWrong, err
		case r.is(name.stream, name.revision):
			return nothingWrong, nil
		}
		tr.Clear(key)
		return repaired{done: "stream entry removed"}, nil
	}
}

// removeStrayID removes an id index entry that leads to another event, or to one that its
// stream has never had.
func removeStrayID(id uuid.UUID, stream string) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		key := c.keys.ID(nil, id, stream)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		e, err := layout.DecodeIDEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := c.readRecord(tr, layout.Pointer{At: e.At, Partition: c.door.PartitionOf(stream)})
		switch {
		case err != nil || r.scavenged:
			return stillWrong, err
		case !r.present:
			// This may be the last trace of a lost event, unless the stream never got that far.
			if h, err := c.head(tr, stream); err != nil || e.Revision < h.Next {
				return stillWrong, err
			}
		case r.ID == id && r.Stream == stream:
			return stillWrong, nil // the fault lies elsewhere
		}
		tr.Clear(key)
		return repaired{done: "id index entry removed"}, nil
	}
}

// removeStrayTag removes the index entry of a tag that leads to an event without that tag.
func removeStrayTag(tag string, at fdbevents.Position) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		key := c.keys.Tag(nil, tag, at)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		p, err := layout.DecodeTagEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := c.readRecord(tr, layout.Pointer{At: at, Partition: p})
		if err != nil || !r.present {
			return stillWrong, err
		}
		if !r.scavenged {
			tags, err := c.tagsOf(tr, &r.Event)
			if err != nil || slices.Contains(tags, tag) {
				return nothingWrong, err
			}
		}
		tr.Clear(key)
		return repaired{done: "tag index entry removed"}, nil
	}
}

// repairHead makes a stream's head name the revision after the last. If the head is
// missing, anything else it held is lost.
func repairHead(stream string) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		value, err := tr.Get(c.keys.Head(nil, stream)).Get()
		if err != nil {
			return stillWrong, err
		}
		h, err := layout.DecodeHead(value)
		if err != nil {
			return stillWrong, err
		}
		ends := [2]int64{-1, -1}
		for i, reverse := range []bool{false, true} {
			page, err := tr.GetRange(c.keys.Entries(stream, 0, fdbevents.StreamEnd), engine.RangeOptions{Limit: 1, Reverse: reverse}).Get()
			if err != nil {
				return stillWrong, err
			}
			if len(page.KeyValues) > 0 {
				if _, ends[i], err = c.keys.ParseEntry(page.KeyValues[0].Key); err != nil {
					return stillWrong, err
				}
			}
		}
		first, last := ends[0], ends[1]
		if last == h.Next-1 || last == -1 && h.TruncateBefore == h.Next {
			return nothingWrong, nil
		}
		if value == nil {
			h.TruncateBefore = first
		}
		if h.Next = last + 1; last == -1 {
			h.Next = h.TruncateBefore // everything was scavenged
		}
		h.TruncateBefore = min(h.TruncateBefore, h.Next)
		tr.Set(c.keys.Head(nil, stream), layout.AppendHead(nil, h))
		return repaired{done: fmt.Sprintf("head now names revision %d as the next", h.Next)}, nil
	}
}

// ringDoorbell rings a partition's doorbell for its last event.
func ringDoorbell(p int) repair {
	return func(c *checker, tr engine.Transaction) (repaired, error) {
		key := c.keys.Doorbell(nil, p)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		page, err := tr.GetRange(c.keys.Log(p, fdbevents.Start, fdbevents.End), engine.RangeOptions{Limit: 1, Reverse: true}).Get()
		if err != nil || len(page.KeyValues) == 0 {
			return nothingWrong, err
		}
		at, _, err := c.keys.ParseSlot(p, page.KeyValues[0].Key)
		if err != nil {
			return stillWrong, err
		}
		if rung, err := layout.DecodeDoorbell(value); err == nil && layout.StampOf(rung) == layout.StampOf(at) {
			return nothingWrong, nil
		}
		tr.Set(key, layout.AppendDoorbell(nil, at))
		return repaired{done: "doorbell rung"}, nil
	}
}
