package fdblayer

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/google/uuid"
)

// mend mends one problem. It decides anew, and reads serializably, so that it is
// right at the moment of the commit; what it cannot read, it leaves alone.
type mend func(s *Store, tr engine.Transaction) (mended, error)

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
		err := c.store.update(ctx, func(tr engine.Transaction, _ error) error {
			for i, p := range some {
				if results[i] = stillWrong; p.mend == nil {
					continue
				}
				got, err := p.mend(c.store, tr)
				switch {
				case isEngineError(err):
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
	Event
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
func (s *Store) find(tr engine.Transaction, to pointer) (r foundRecord, err error) {
	slot := s.getRecord(tr, to)
	if r.slot, err = slot.Get(); err != nil || r.slot == nil {
		return r, err
	}
	var d recordDecoder
	r.there = true
	ok, err := s.awaitRecord(&d, tr, to, slot, &r.Event)
	if err != nil {
		return r, err
	}
	r.scavenged = !ok
	r.size = len(r.slot)
	if isChunked(r.slot) {
		r.size, _, err = decodeChunkHeader(r.slot)
	}
	return r, err
}

// mendEntry makes the entry of the event at a place right.
func mendEntry(to pointer) mend {
	return func(s *Store, tr engine.Transaction) (mended, error) {
		r, err := s.find(tr, to)
		if err != nil || !r.there || r.scavenged {
			return nothingWrong, err
		}
		if s.partitionOf(r.Stream) != to.partition {
			return stillWrong, nil
		}
		key := s.keys.entry(nil, r.Stream, r.Revision)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		inline := r.slot
		if len(inline) > s.header.inlineLimit || r.size != len(inline) {
			inline = nil
		}
		if e, err := decodeEntry(value); value != nil && err == nil {
			if (pointer{e.at, e.partition}) == to {
				if e.record == nil || bytes.Equal(e.record, r.slot) {
					return nothingWrong, nil
				}
			} else if other, err := s.find(tr, pointer{e.at, e.partition}); err != nil || other.is(r.Stream, r.Revision) {
				return stillWrong, err // two events claim to be it
			}
		}
		tr.Set(key, appendEntry(nil, entry{partition: to.partition, at: to.at, size: r.size, record: inline}))
		return mended{done: "its stream entry was written anew"}, nil
	}
}

// mendID makes the entry of the id of the event at a place right.
func mendID(to pointer) mend {
	return func(s *Store, tr engine.Transaction) (mended, error) {
		r, err := s.find(tr, to)
		if err != nil || !r.there || r.scavenged {
			return nothingWrong, err
		}
		key := s.keys.id(nil, r.ID, r.Stream)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		if e, err := decodeIDEntry(value); value != nil && err == nil {
			if e.at == to.at && e.revision == r.Revision {
				return nothingWrong, nil
			}
			if e.at != to.at {
				other, err := s.find(tr, pointer{e.at, to.partition})
				if err != nil || other.is(r.Stream, other.Revision) && other.ID == r.ID {
					return stillWrong, err // two events have the id
				}
			}
		}
		tr.Set(key, appendIDEntry(nil, idEntry{revision: r.Revision, at: to.at}))
		return mended{done: "the index entry of its id was written anew"}, nil
	}
}

// tagsOf are all tags by which an event is to be found.
func (s *Store) tagsOf(tr engine.Transaction, ev *Event) ([]string, error) {
	indexes, err := s.readIndexes(tr)
	if err != nil {
		return nil, err
	}
	return indexes.tags(slices.Clone(ev.Tags), ev.Stream, ev.Type), nil
}

// mendTag makes the event at a place be found by a tag that it has.
func mendTag(to pointer, tag string) mend {
	return func(s *Store, tr engine.Transaction) (mended, error) {
		r, err := s.find(tr, to)
		if err != nil || !r.there || r.scavenged {
			return nothingWrong, err
		}
		tags, err := s.tagsOf(tr, &r.Event)
		if err != nil || !slices.Contains(tags, tag) {
			return nothingWrong, err // its index was dropped
		}
		key := s.keys.tag(nil, tag, to.at)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		if p, err := decodeTagEntry(value); value != nil && err == nil && p == to.partition {
			return nothingWrong, nil
		}
		tr.Set(key, appendTagEntry(nil, to.partition))
		return mended{done: "the index entry was written anew"}, nil
	}
}

// mendStrayEntry removes a stream entry that leads to another event.
func mendStrayEntry(name entryName) mend {
	return func(s *Store, tr engine.Transaction) (mended, error) {
		key := s.keys.entry(nil, name.stream, name.revision)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		e, err := decodeEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := s.find(tr, pointer{e.at, e.partition})
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
	return func(s *Store, tr engine.Transaction) (mended, error) {
		key := s.keys.id(nil, id, stream)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		e, err := decodeIDEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := s.find(tr, pointer{e.at, s.partitionOf(stream)})
		switch {
		case err != nil || r.scavenged:
			return stillWrong, err
		case !r.there:
			// Perhaps an event that is lost, unless there cannot have been one.
			if h, err := s.readHead(tr, stream); err != nil || e.revision < h.next {
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
func mendStrayTag(tag string, at Position) mend {
	return func(s *Store, tr engine.Transaction) (mended, error) {
		key := s.keys.tag(nil, tag, at)
		value, err := tr.Get(key).Get()
		if err != nil || value == nil {
			return nothingWrong, err
		}
		p, err := decodeTagEntry(value)
		if err != nil {
			return stillWrong, err
		}
		r, err := s.find(tr, pointer{at, p})
		if err != nil || !r.there {
			return stillWrong, err
		}
		if !r.scavenged {
			tags, err := s.tagsOf(tr, &r.Event)
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
	return func(s *Store, tr engine.Transaction) (mended, error) {
		value, err := tr.Get(s.keys.head(nil, stream)).Get()
		if err != nil {
			return stillWrong, err
		}
		h, err := decodeHead(value)
		if err != nil {
			return stillWrong, err
		}
		ends := [2]int64{-1, -1}
		for i, reverse := range []bool{false, true} {
			page, err := tr.GetRange(s.keys.entries(stream, 0, StreamEnd), engine.RangeOptions{Limit: 1, Reverse: reverse}).Get()
			if err != nil {
				return stillWrong, err
			}
			if len(page.KeyValues) > 0 {
				if _, ends[i], err = s.keys.parseEntry(page.KeyValues[0].Key); err != nil {
					return stillWrong, err
				}
			}
		}
		first, last := ends[0], ends[1]
		if last == h.next-1 || last == -1 && h.truncateBefore == h.next {
			return nothingWrong, nil
		}
		if value == nil {
			h.truncateBefore = first
		}
		if h.next = last + 1; last == -1 {
			h.next = h.truncateBefore // all was scavenged
		}
		h.truncateBefore = min(h.truncateBefore, h.next)
		tr.Set(s.keys.head(nil, stream), appendHead(nil, h))
		return mended{done: fmt.Sprintf("its head says now that revision %d is next", h.next)}, nil
	}
}

// mendDoorbell rings a partition's doorbell with its last event.
func mendDoorbell(p int) mend {
	return func(s *Store, tr engine.Transaction) (mended, error) {
		key := s.keys.doorbell(nil, p)
		value, err := tr.Get(key).Get()
		if err != nil {
			return stillWrong, err
		}
		page, err := tr.GetRange(s.keys.log(p, Start, End), engine.RangeOptions{Limit: 1, Reverse: true}).Get()
		if err != nil || len(page.KeyValues) == 0 {
			return nothingWrong, err
		}
		at, _, err := s.keys.parseSlot(p, page.KeyValues[0].Key)
		if err != nil {
			return stillWrong, err
		}
		if rung, err := decodeDoorbell(value); err == nil && stampOf(rung) == stampOf(at) {
			return nothingWrong, nil
		}
		tr.Set(key, appendDoorbell(nil, at))
		return mended{done: "it was rung"}, nil
	}
}
