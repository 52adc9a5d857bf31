package fdblayer

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// CheckOptions are for Store.Check. The zero value is good.
type CheckOptions struct {
	// Progress, when not nil, is called now and then with how many keys have been
	// looked at, and how many there are, as far as is known.
	Progress func(done, total int64)
}

// CheckReport is what Store.Check found.
type CheckReport struct {
	// Events is the log's, Streams those with events, IDs and Tags the entries of
	// the indexes.
	Events, Streams, IDs, Tags int64
	// Problems says, one sentence each, what is not as it should be: the first
	// hundred of them.
	Problems []string
	// More is true when there were further problems.
	More bool
}

// OK reports whether no problem was found.
func (r CheckReport) OK() bool { return len(r.Problems) == 0 }

const maxProblems = 100

// Check reads the whole store and verifies every index against the log: each
// record's checksum and partition, its place in its stream, its event id and its
// tags, and the other way round that each of these leads to the record; that
// revisions have no gaps and rise with positions; that heads and doorbells are
// right; and that what checkpoints, projections and consumer groups keep can be
// read, and leads to places in this log.
// Others may go on writing meanwhile.
//
// The error is non-nil when the store could not be read; what is wrong with what
// was read is in the report.
func (s *Store) Check(ctx context.Context, o CheckOptions) (CheckReport, error) {
	c := &checker{store: s, progress: o.Progress}
	steps := []struct {
		what string
		run  func(context.Context) error
	}{
		{"stream heads", c.heads},
		{"the log", c.log},
		{"stream entries", c.entries},
		{"event ids", c.ids},
		{"tags", c.tags},
		{"doorbells", c.doorbells},
		{"checkpoints", c.checkpoints},
		{"projections", c.projections},
		{"consumer groups", c.groups},
	}
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			return c.report, fmt.Errorf("checking %s: %w", step.what, err)
		}
	}
	return c.report, nil
}

// checker is a Check under way. Each page of keys is looked at in one
// transaction, together with what its values lead to, so that what others write
// meanwhile is seen whole or not at all.
type checker struct {
	store       *Store
	progress    func(done, total int64)
	report      CheckReport
	done, total int64
	// entry is the last stream entry looked at.
	entry checkedEntry
}

type checkedEntry struct {
	stream   string
	revision int64
	at       Position
}

// findings are those of one page; they count when its transaction is through.
type findings struct {
	problems []string
	// events, streams, ids and tags are added to the report's, expected to the
	// number of keys that the whole check will look at.
	events, streams, ids, tags, expected int64
	entry                                checkedEntry
}

func (f *findings) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// scan looks at all keys of a range, page by page. look is called again for a
// page whose transaction failed.
func (c *checker) scan(ctx context.Context, r engine.Range, look func(r engine.Reader, kvs []engine.KeyValue, f *findings) error) error {
	for {
		var p engine.Page
		var f findings
		err := engine.Run(ctx, c.store.engine, func(tr engine.Transaction, _ error) (err error) {
			f = findings{entry: c.entry}
			if p, err = tr.Snapshot().GetRange(r, engine.RangeOptions{Bytes: pageBytes / 4, Limit: pageEntries}).Get(); err != nil {
				return err
			}
			return look(tr.Snapshot(), p.KeyValues, &f)
		})
		if err != nil {
			return err
		}
		c.entry = f.entry
		c.add(f)
		c.done += int64(len(p.KeyValues))
		if c.progress != nil {
			c.progress(c.done, max(c.total, c.done))
		}
		if !p.More {
			return nil
		}
		r.Begin = after(p.KeyValues[len(p.KeyValues)-1].Key)
	}
}

// add counts findings in.
func (c *checker) add(f findings) {
	c.report.Events += f.events
	c.report.Streams += f.streams
	c.report.IDs += f.ids
	c.report.Tags += f.tags
	c.total += f.expected
	room := min(maxProblems-len(c.report.Problems), len(f.problems))
	c.report.Problems = append(c.report.Problems, f.problems[:room]...)
	c.report.More = c.report.More || room < len(f.problems)
}

// heads verifies that each head tells the end of its stream.
func (c *checker) heads(ctx context.Context) error {
	s := c.store
	d := newDecoder()
	return c.scan(ctx, s.keys.heads(""), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
		type pending struct {
			stream string
			head   head
			last   engine.Future[engine.Page]
		}
		var all []pending
		for _, kv := range kvs {
			stream, err := s.keys.parseHead(kv.Key)
			var h head
			if err == nil {
				h, err = d.head(kv.Value)
			}
			if err != nil {
				f.problem("head %x: %v", kv.Key, err)
				continue
			}
			h.metadata = nil
			last := r.GetRange(s.keys.entries(stream, 0, StreamEnd), engine.RangeOptions{Limit: 1, Reverse: true})
			all = append(all, pending{stream, h, last})
		}
		for _, p := range all {
			page, err := p.last.Get()
			if err != nil {
				return err
			}
			last := int64(-1)
			if len(page.KeyValues) > 0 {
				if _, last, err = s.keys.parseEntry(page.KeyValues[0].Key); err != nil {
					f.problem("%v", err)
					continue
				}
			}
			if last != p.head.next-1 && !(last == -1 && p.head.truncateBefore == p.head.next) {
				f.problem("stream %q: its head says that revision %d is next, but its last entry is %d", p.stream, p.head.next, last)
			}
			if p.head.next > 0 {
				f.streams++
				f.expected += 1 + 3*p.head.next // head, slots, entries and ids
			}
		}
		return nil
	})
}

// log verifies each record, and that all indexes lead to it.
func (c *checker) log(ctx context.Context) error {
	for p := range c.store.header.partitions {
		if err := c.scan(ctx, c.store.keys.log(p, Start, End), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
			return c.slots(r, p, kvs, f)
		}); err != nil {
			return err
		}
	}
	return nil
}

// indexed is what a record's indexes say.
type indexed struct {
	event Event
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
	s := c.store
	d := newDecoder()
	indexes, err := s.readIndexes(r)
	if err != nil {
		return err
	}
	var all []indexed
	slot := s.keys.slotSize(p)
	for i, kv := range kvs {
		at, chunk, err := s.keys.parseSlot(p, kv.Key)
		if err != nil {
			f.problem("log of partition %d: %v", p, err)
			continue
		}
		var ev Event
		ok := true
		switch {
		case chunk > 0 && i > 0 && bytes.Equal(kvs[i-1].Key[:slot], kv.Key[:slot]):
			continue // belongs to the slot before it
		case chunk > 0 || d.isChunked(kv.Value):
			ok, err = s.awaitRecord(d, r, pointer{at, p}, s.getRecord(r, pointer{at, p}), &ev)
			if chunk > 0 && err == nil {
				continue // its slot was looked at in the page before
			}
		default:
			ok, err = d.event(at, kvs[i:i+1], &ev)
		}
		if err != nil {
			f.problem("partition %d: %v", p, err)
			continue
		}
		f.events++
		if !ok {
			continue
		}
		if want := s.partitionOf(ev.Stream); want != p {
			f.problem("event at position %s: stream %q is in partition %d, belongs in %d", at, ev.Stream, p, want)
		}
		x := indexed{
			event:     ev,
			partition: p,
			raw:       kv.Value,
			entry:     r.Get(s.keys.entry(nil, ev.Stream, ev.Revision)),
			id:        r.Get(s.keys.id(nil, ev.ID, ev.Stream)),
		}
		x.names = slices.Clone(ev.Tags)
		for _, index := range indexes.all {
			if tag, ok := systemTag(index.name, ev.Stream, ev.Type); ok && index.ready {
				x.names = append(x.names, tag)
			}
		}
		for _, tag := range x.names {
			x.tags = append(x.tags, r.Get(s.keys.tag(nil, tag, at)))
		}
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
	value, err := x.entry.Get()
	if err != nil {
		return err
	}
	if value == nil {
		f.problem("%s: stream %q has no entry for its revision %d", name, ev.Stream, ev.Revision)
	} else if e, err := decodeEntry(value); err != nil {
		f.problem("%s: entry of stream %q, revision %d: %v", name, ev.Stream, ev.Revision, err)
	} else if e.at != ev.Position {
		f.problem("%s: the entry of stream %q, revision %d leads to position %s", name, ev.Stream, ev.Revision, e.at)
	} else if e.record != nil && !bytes.Equal(e.record, x.raw) {
		f.problem("%s: the copy in stream %q, revision %d differs from the record", name, ev.Stream, ev.Revision)
	}
	if value, err = x.id.Get(); err != nil {
		return err
	}
	if value == nil {
		f.problem("%s: its id is not in the index of stream %q", name, ev.Stream)
	} else if e, err := decodeIDEntry(value); err != nil {
		f.problem("%s: index entry of its id: %v", name, err)
	} else if e.at != ev.Position || e.revision != ev.Revision {
		f.problem("%s: the index entry of its id leads to revision %d at position %s", name, e.revision, e.at)
	}
	for i, tag := range x.tags {
		if value, err = tag.Get(); err != nil {
			return err
		}
		if value == nil {
			f.problem("%s: it is not in the index of its tag %q", name, x.names[i])
		} else if p, err := decodePartition(value); err != nil || p != x.partition {
			f.problem("%s: the index entry of its tag %q leads to partition %d (%v)", name, x.names[i], p, err)
		}
	}
	return nil
}

// entries verifies that revisions have no gaps, rise with positions, and that
// each entry leads to a slot of the log.
func (c *checker) entries(ctx context.Context) error {
	s := c.store
	return c.scan(ctx, s.keys.allEntries(), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
		slots := make([]engine.Future[[]byte], len(kvs))
		for i, kv := range kvs {
			stream, revision, err := s.keys.parseEntry(kv.Key)
			var e entry
			if err == nil {
				e, err = decodeEntry(kv.Value)
			}
			if err != nil {
				f.problem("stream entry %x: %v", kv.Key, err)
				continue
			}
			slots[i] = r.Get(s.keys.slot(nil, e.partition, e.at))
			if before := f.entry; before.stream != stream {
				if err := c.firstEntry(r, stream, revision, f); err != nil {
					return err
				}
			} else if revision != before.revision+1 {
				// Those between may have been scavenged since the page before.
				if h, err := s.readHead(r, stream); err != nil {
					return err
				} else if revision > h.truncateBefore {
					f.problem("stream %q: revision %d is followed by %d", stream, before.revision, revision)
				}
			} else if !before.at.Before(e.at) {
				f.problem("stream %q: revision %d is at position %s, not after that of the one before, %s", stream, revision, e.at, before.at)
			}
			f.entry = checkedEntry{stream, revision, e.at}
		}
		for i, slot := range slots {
			if slot == nil {
				continue
			}
			value, err := slot.Get()
			if err != nil {
				return err
			}
			if value == nil {
				f.problem("stream entry %x leads to a place where the log has nothing", kvs[i].Key)
			}
		}
		return nil
	})
}

// firstEntry verifies that a stream begins at revision 0, or where it was
// truncated.
func (c *checker) firstEntry(r engine.Reader, stream string, revision int64, f *findings) error {
	if revision == 0 {
		return nil
	}
	h, err := c.store.readHead(r, stream)
	if err != nil {
		return err
	}
	if revision > h.truncateBefore {
		f.problem("stream %q begins at revision %d, but is truncated before %d only", stream, revision, h.truncateBefore)
	}
	return nil
}

// ids verifies that each event id leads to a stream entry at the same position.
func (c *checker) ids(ctx context.Context) error {
	s := c.store
	return c.scan(ctx, s.keys.ids(), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
		entries := make([]engine.Future[[]byte], len(kvs))
		positions := make([]Position, len(kvs))
		for i, kv := range kvs {
			_, stream, err := s.keys.parseID(kv.Key)
			var e idEntry
			if err == nil {
				e, err = decodeIDEntry(kv.Value)
			}
			if err != nil {
				f.problem("event id entry %x: %v", kv.Key, err)
				continue
			}
			f.ids++
			positions[i] = e.at
			entries[i] = r.Get(s.keys.entry(nil, stream, e.revision))
		}
		for i, value := range entries {
			if value == nil {
				continue
			}
			got, err := value.Get()
			if err != nil {
				return err
			}
			id, stream, _ := s.keys.parseID(kvs[i].Key)
			if got == nil {
				// An id is kept when its event is scavenged, to recognise repeats.
				e, _ := decodeIDEntry(kvs[i].Value)
				if h, err := s.readHead(r, stream); err != nil {
					return err
				} else if e.revision < h.truncateBefore {
					continue
				}
			}
			if e, err := decodeEntry(got); err != nil || e.at != positions[i] {
				f.problem("event id %s leads to position %s of stream %q, where that event is not", id, positions[i], stream)
			}
		}
		return nil
	})
}

// tags verifies that each tag leads to an event that has it.
func (c *checker) tags(ctx context.Context) error {
	d := newDecoder()
	return c.scan(ctx, c.store.keys.allTagged(""), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
		// Records can be long: only so many at a time.
		for kvs := range slices.Chunk(kvs, 32) {
			if err := c.tagEntries(r, d, kvs, f); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *checker) tagEntries(r engine.Reader, d *decoder, kvs []engine.KeyValue, f *findings) error {
	s := c.store
	indexes, err := s.readIndexes(r)
	if err != nil {
		return err
	}
	type pending struct {
		tag    string
		to     pointer
		record engine.Future[[]byte]
	}
	all := make([]pending, 0, len(kvs))
	for _, kv := range kvs {
		tag, _, err := s.keys.parseTag(kv.Key)
		var to pointer
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
		if _, err := x.record.Get(); err != nil {
			return err
		}
		var ev Event
		ok, err := s.awaitRecord(d, r, x.to, x.record, &ev)
		if err != nil {
			f.problem("tag %q: %v", x.tag, err)
		} else if !ok {
			f.problem("tag %q leads to the event at position %s, which was scavenged", x.tag, x.to.at)
		} else if !slices.Contains(indexes.tags(slices.Clone(ev.Tags), ev.Stream, ev.Type), x.tag) {
			f.problem("tag %q leads to the event at position %s, which does not have it", x.tag, x.to.at)
		}
	}
	return nil
}

// doorbells verifies that each was rung with the last event of its partition.
func (c *checker) doorbells(ctx context.Context) error {
	s := c.store
	for p := range s.header.partitions {
		var f findings
		err := engine.Run(ctx, s.engine, func(tr engine.Transaction, _ error) error {
			f = findings{}
			r := tr.Snapshot()
			bell := r.Get(s.keys.doorbell(nil, p))
			last, err := r.GetRange(s.keys.log(p, Start, End), engine.RangeOptions{Limit: 1, Reverse: true}).Get()
			if err != nil {
				return err
			}
			value, err := bell.Get()
			if err != nil || len(last.KeyValues) == 0 {
				return err
			}
			at, _, err := s.keys.parseSlot(p, last.KeyValues[0].Key)
			if err != nil {
				return err
			}
			rung, _, err := splitStamped(value)
			if err != nil || !bytes.Equal(rung.stamp[:10], at.stamp[:10]) {
				f.problem("doorbell of partition %d was last rung for %s, but its last event is at %s", p, rung, at)
			}
			return nil
		})
		if err != nil {
			return err
		}
		c.add(f)
	}
	return nil
}
