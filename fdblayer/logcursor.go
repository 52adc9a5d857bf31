package fdblayer

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
	"golang.org/x/sync/errgroup"
)

// logCursor reads the log of all streams: it merges the partitions by position.
//
// A partition is known up to some position: to the last slot read when a bound
// cut its page, otherwise to the read version, at which everything committed
// before is visible. Only what no partition can come before any more is given
// out; the rest waits in the cursor for the next page. So the order is total and
// gap-free, although a page reads only those partitions that it needs.
type logCursor struct {
	store    *Store
	backward bool
	parts    []partCursor
	// limit is how many events are wanted at most, 0 if that is not known.
	limit int
	// bulk is true after a page that did not reach the tail: partitions are then
	// read and decoded side by side.
	bulk bool
}

// partCursor is a place in one partition. Forward reads are described; backward
// ones mirror them.
type partCursor struct {
	// waiting are events that were read, but not yet given out, in order.
	waiting []Event
	// known is the position up to which the partition has been read.
	known Position
	// start is true before the first read, which includes known itself.
	start bool
	// done is true for a backward read that has come to the beginning.
	done bool
}

func (s *Store) newLogCursor(from Position, o ReadOptions) *logCursor {
	c := &logCursor{store: s, backward: o.Backward, limit: pageHint(o), parts: make([]partCursor, s.header.partitions)}
	for i := range c.parts {
		c.parts[i] = partCursor{known: from, start: true}
	}
	return c
}

// newLogCursorAfter begins with the first event after a position.
func (s *Store) newLogCursorAfter(after Position) *logCursor {
	c := s.newLogCursor(after, ReadOptions{})
	for i := range c.parts {
		c.parts[i].start = false
	}
	return c
}

func (c *logCursor) read(tr engine.Transaction) (page, cursor, error) {
	r := tr.Snapshot()
	next := *c
	next.parts = slices.Clone(c.parts)
	if err := next.fill(tr, r); err != nil {
		return page{}, nil, err
	}
	version, err := tr.ReadVersion().Get()
	if err != nil {
		return page{}, nil, err
	}
	out := page{events: next.merge()}
	seen := lastOfVersion(version)
	behind := func(p partCursor) bool { return p.known != seen }
	if c.backward {
		behind = func(p partCursor) bool { return !p.done || len(p.waiting) > 0 }
	}
	if out.tail = !slices.ContainsFunc(next.parts, behind); out.tail {
		out.through = seen
	}
	next.bulk = !out.tail
	return out, &next, nil
}

// fill reads a page of each partition that has nothing waiting. In bulk, the
// partitions are read and decoded side by side.
func (c *logCursor) fill(tr engine.Transaction, r engine.Reader) error {
	o := engine.RangeOptions{Bytes: pageBytes / len(c.parts), Limit: c.limit, Reverse: c.backward}
	var bulk errgroup.Group
	futures := make([]engine.Future[engine.Page], len(c.parts))
	for p := range c.parts {
		part := &c.parts[p]
		if len(part.waiting) > 0 || part.done {
			continue
		}
		if c.bulk {
			bulk.Go(func() error { return c.finish(tr, r, p, r.GetRange(c.remaining(p), o)) })
		} else {
			futures[p] = r.GetRange(c.remaining(p), o)
		}
	}
	for p, f := range futures {
		if f != nil {
			if err := c.finish(tr, r, p, f); err != nil {
				return err
			}
		}
	}
	return bulk.Wait()
}

// finish takes what a range read of partition p returns.
func (c *logCursor) finish(tr engine.Transaction, r engine.Reader, p int, f engine.Future[engine.Page]) error {
	got, err := f.Get()
	if err != nil {
		return fmt.Errorf("reading partition %d of the log: %w", p, err)
	}
	part := &c.parts[p]
	part.start = false
	last, err := part.take(c.store, r, p, got, c.backward)
	if err != nil {
		return fmt.Errorf("reading partition %d of the log: %w", p, err)
	}
	switch {
	case got.More:
		part.known = last
	case c.backward:
		part.known, part.done = Start, true
	default:
		version, err := tr.ReadVersion().Get()
		if err != nil {
			return err
		}
		part.known = lastOfVersion(version)
	}
	return nil
}

// remaining is the range of what partition p has left to read.
func (c *logCursor) remaining(p int) engine.Range {
	part := &c.parts[p]
	switch at := part.known; {
	case !c.backward && part.start:
		return c.store.keys.log(p, at, End)
	case !c.backward:
		return c.store.keys.log(p, at.next(), End)
	case part.start:
		return c.store.keys.log(p, Start, at)
	default:
		return c.store.keys.log(p, Start, at.prev())
	}
}

// take decodes the slots of a page into waiting, and returns the position of the
// last one.
func (part *partCursor) take(s *Store, r engine.Reader, p int, got engine.Page, backward bool) (last Position, err error) {
	kvs := got.KeyValues
	part.waiting = make([]Event, 0, len(kvs))
	d := s.decoder()
	defer s.release(d)
	slot := s.keys.slotSize(p)
	for len(kvs) > 0 {
		at, _, err := s.keys.parseSlot(p, kvs[0].Key)
		if err != nil {
			return last, err
		}
		n := 1
		for n < len(kvs) && bytes.Equal(kvs[n].Key[:slot], kvs[0].Key[:slot]) {
			n++
		}
		chunks := kvs[:n]
		kvs, last = kvs[n:], at
		if backward {
			slices.Reverse(chunks)
		}
		part.waiting = append(part.waiting, Event{})
		ev := &part.waiting[len(part.waiting)-1]
		var ok bool
		if got.More && len(kvs) == 0 && (len(chunks[0].Key) > slot || d.isChunked(chunks[0].Value)) {
			// The page may have been cut within the record.
			ok, err = s.awaitRecord(d, p, at, s.getRecord(r, p, at), ev)
		} else {
			ok, err = d.event(at, chunks, ev)
		}
		if err != nil {
			return last, err
		}
		if !ok {
			part.waiting = part.waiting[:len(part.waiting)-1]
		}
	}
	return last, nil
}

// merge takes out of waiting, in order, what no partition can come before.
func (c *logCursor) merge() []*Event {
	total := 0
	bound := c.parts[0].known
	for i := range c.parts {
		part := &c.parts[i]
		total += len(part.waiting)
		if part.known.Before(bound) != c.backward && part.known != bound {
			bound = part.known
		}
	}
	events := make([]*Event, 0, total)
	for {
		var from *partCursor
		var first Position
		for i := range c.parts {
			part := &c.parts[i]
			if len(part.waiting) == 0 {
				continue
			}
			if at := part.waiting[0].Position; from == nil || at.Before(first) != c.backward {
				from, first = part, at
			}
		}
		if from == nil || first != bound && first.Before(bound) == c.backward {
			return events
		}
		events = append(events, &from.waiting[0])
		from.waiting = from.waiting[1:]
	}
}
