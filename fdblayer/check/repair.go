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

// mend mends one problem. It decides anew, and reads serializably, so that it is
// right at the moment of the commit; what it cannot read, it leaves alone.
type mend func(c *checker, tr engine.Transaction) (mended, error)

// mended is what became of a problem.
type mended struct {
	// done says what was done; it is empty when nothing was.
	done string
	// wrong is true when something is still wrong.
	wrong bool
}

var (
	nothingWrong = mended{}
	stillWrong   = mended{wrong: true}
)

// mendsAtOnce bounds the repairs of one transaction: each may have to read a record
// of 8 MiB.
const mendsAtOnce = 20

// mend mends what can be mended, and returns the rest.
func (c *checker) mend(ctx context.Context, all []finding) (rest []finding, err error) {
	for some := range slices.Chunk(all, mendsAtOnce) {
		results := make([]mended, len(some))
		// done is of earlier attempts: one of them may have been committed.
		done := make([]string, len(some))
		err := c.door.Update(ctx, func(tr engine.Transaction, _ error) error {
			for i, p := range some {
				if results[i] = stillWrong; p.mend == nil {
					continue
				}
				got, err := p.mend(c, tr)
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

// foundRecord is what is at a place in the log.
type foundRecord struct {
	fdbevents.Event
	// there is false where the log has nothing, scavenged true where it has an empty
	// slot; in both cases there is no event.
	there, scavenged bool
	// slot is the slot's value, size that of the whole record.
	slot []byte
	size int
}

// is reports whether it is the event of a stream and revision.
func (r *foundRecord) is(stream string, revision int64) bool {
	return r.there && !r.scavenged && r.Stream == stream && r.Revision == revision
}

// find reads and verifies a record.
func (c *checker) find(tr engine.Transaction, to layout.Pointer) (r foundRecord, err error) {
	slot := c.keys.GetRecord(tr, to)
	if r.slot, err = slot.Get(); err != nil || r.slot == nil {
		return r, err
	}
	var d layout.RecordDecoder
	r.there = true
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

// mendEntry makes the entry of the event at a place right.
func mendEntry(to layout.Pointer) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
		r, err := c.find(tr, to)
		if err != nil || !r.there || r.scavenged {
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
			} else if other, err := c.find(tr, layout.Pointer{At: e.At, Partition: e.Partition}); err != nil || other.is(r.Stream, r.Revision) {
				return stillWrong, err // two events claim to be it
			}
		}
		tr.Set(key, layout.AppendEntry(nil, layout.Entry{Partition: to.Partition, At: to.At, Size: r.size, Record: inline}))
		return mended{done: "its stream entry was written anew"}, nil
	}
}

// mendID makes the entry of the id of the event at a place right.
func mendID(to layout.Pointer) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
		r, err := c.find(tr, to)
		if err != nil || !r.there || r.scavenged {
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
				other, err := c.find(tr, layout.Pointer{At: e.At, Partition: to.Partition})
				if err != nil || other.is(r.Stream, other.Revision) && other.ID == r.ID {
					return stillWrong, err // two events have the id
				}
			}
		}
		tr.Set(key, layout.AppendIDEntry(nil, layout.IDEntry{Revision: r.Revision, At: to.At}))
		return mended{done: "the index entry of its id was written anew"}, nil
	}
}

// tagsOf are all tags by which an event is to be found.
func (c *checker) tagsOf(tr engine.Transaction, ev *fdbevents.Event) ([]string, error) {
	indexes, err := c.indexes(tr)
	if err != nil {
		return nil, err
	}
	return layout.AppendSystemTags(slices.Clone(ev.Tags), indexes, ev.Stream, ev.Type), nil
}

// mendTag makes the event at a place be found by a tag that it has.
func mendTag(to layout.Pointer, tag string) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
		r, err := c.find(tr, to)
		if err != nil || !r.there || r.scavenged {
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
		return mended{done: "the index entry was written anew"}, nil
	}
}

// mendStrayEntry removes a stream entry that leads to another event.
func mendStrayEntry(name entryName) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
		key := c.keys.Entry(nil, name.stream, name.revision)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		e, err := layout.DecodeEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := c.find(tr, layout.Pointer{At: e.At, Partition: e.Partition})
		switch {
		case err != nil || !r.there || r.scavenged:
			return stillWrong, err
		case r.is(name.stream, name.revision):
			return nothingWrong, nil
		}
		tr.Clear(key)
		return mended{done: "the entry was removed"}, nil
	}
}

// mendStrayID removes the entry of an id that leads to another event, or to one
// that its stream has never had.
func mendStrayID(id uuid.UUID, stream string) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
		key := c.keys.ID(nil, id, stream)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		e, err := layout.DecodeIDEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := c.find(tr, layout.Pointer{At: e.At, Partition: c.door.PartitionOf(stream)})
		switch {
		case err != nil || r.scavenged:
			return stillWrong, err
		case !r.there:
			// Perhaps an event that is lost, unless there cannot have been one.
			if h, err := c.head(tr, stream); err != nil || e.Revision < h.Next {
				return stillWrong, err
			}
		case r.ID == id && r.Stream == stream:
			return stillWrong, nil // then it is not the id that is wrong
		}
		tr.Clear(key)
		return mended{done: "the index entry was removed"}, nil
	}
}

// mendStrayTag removes a tag's entry that leads to an event which does not have it.
func mendStrayTag(tag string, at fdbevents.Position) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
		key := c.keys.Tag(nil, tag, at)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		p, err := layout.DecodeTagEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := c.find(tr, layout.Pointer{At: at, Partition: p})
		if err != nil || !r.there {
			return stillWrong, err
		}
		if !r.scavenged {
			tags, err := c.tagsOf(tr, &r.Event)
			if err != nil || slices.Contains(tags, tag) {
				return nothingWrong, err
			}
		}
		tr.Clear(key)
		return mended{done: "the index entry was removed"}, nil
	}
}

// mendHead makes a stream's head tell the end of the stream. What else the head
// had is gone when there is none.
func mendHead(stream string) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
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
			h.Next = h.TruncateBefore // all was scavenged
		}
		h.TruncateBefore = min(h.TruncateBefore, h.Next)
		tr.Set(c.keys.Head(nil, stream), layout.AppendHead(nil, h))
		return mended{done: fmt.Sprintf("its head says now that revision %d is next", h.Next)}, nil
	}
}

// mendDoorbell rings a partition's doorbell with its last event.
func mendDoorbell(p int) mend {
	return func(c *checker, tr engine.Transaction) (mended, error) {
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
		return mended{done: "it was rung"}, nil
	}
}
