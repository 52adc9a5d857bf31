package main

import (
	"iter"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// audit is the last read of the whole log, by which everything else is judged.
type audit struct {
	checker *checker
	// at is the position of the last event, events their number.
	at     fdbevents.Position
	events int64
	// streams are the streams of the log, by name.
	streams map[string]*tally
	// writers is how far the audit has followed each writer.
	writers map[uint32]*trail
	// heads is the number of events of each chain, won the place of each claim's
	// winner, and counted the number of events that transactions count.
	heads   map[uint32]uint32
	won     map[uint64]uint32
	counted uint64
	lines   []cursorOf
	// perWriter is what the projection should have counted.
	perWriter map[uint32]uint64
}

// tally is what the log says about a stream.
type tally struct {
	next, count int64
	// first is the first revision that is still in the log, order a hash of all events
	// in their order.
	first int64
	order uint64
	last  fdbevents.Position
}

// trail follows a writer's events.
type trail struct {
	ledger *ledger
	begun  bool
	seq    uint32
	// index, count and stamp belong to the last event's append.
	index, count uint8
	stamp        string
}

// cursorOf is how far a line has been compared with the log.
type cursorOf struct {
	line *line
	next int
	bad  bool
}

// fold adds an event to the hash of all events before it.
func fold(order uint64, ev *fdbevents.Event) uint64 {
	m := markOf(ev)
	return order*1099511628211 + uint64(m.what) + uint64(place(ev.Stream, ev.Position))<<32
}

// audit reads the log to its end and adds to the verdict what is missing from the log
// and what should not be in it.
func (c *checker) audit(events iter.Seq2[fdbevents.Event, error]) (*audit, error) {
	a := &audit{
		checker: c, streams: make(map[string]*tally), writers: make(map[uint32]*trail),
		heads: make(map[uint32]uint32), won: make(map[uint64]uint32), perWriter: make(map[uint32]uint64),
	}
	for _, l := range c.lines {
		a.lines = append(a.lines, cursorOf{line: l})
	}
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		a.take(&ev)
	}
	a.finish()
	return a, nil
}

func (a *audit) take(ev *fdbevents.Event) {
	v := &a.checker.verdict
	if a.events > 0 && !a.at.Before(ev.Position) {
		v.add(reordered, "%q@%d: position %s comes after %s", ev.Stream, ev.Revision, ev.Position, a.at)
	}
	a.at = ev.Position
	a.events++
	a.stream(ev)
	for i := range a.lines {
		a.lines[i].compare(a.checker, ev)
	}
	b, err := decodeBody(ev.Data)
	if err != nil {
		v.add(damaged, "%q@%d at position %s: %v", ev.Stream, ev.Revision, ev.Position, err)
		return
	}
	if want := eventID(a.checker.seed, b.ident); b.kind != nameless && ev.ID != want {
		v.add(damaged, "%s has id %s, want %s", b.ident, uuid.UUID(ev.ID), want)
	}
	if lasting(ev) {
		a.perWriter[b.writer]++
	}
	a.writer(ev, b)
	switch b.kind {
	case claim:
		if _, twice := a.won[b.number]; twice {
			v.add(winners, "claim %d was also won by %s", b.number, b.ident)
		}
		a.won[b.number] = place("", ev.Position)
	case chained:
		chain, n := uint32(b.number>>32), uint32(b.number)
		if n != a.heads[chain] {
			v.add(chains, "%s expected %d events of chain %d before it, there were %d", b.ident, n, chain, a.heads[chain])
		}
		a.heads[chain]++
	case counted:
		a.counted++
	}
}

func (a *audit) stream(ev *fdbevents.Event) {
	v := &a.checker.verdict
	t, ok := a.streams[ev.Stream]
	if !ok {
		t = &tally{first: ev.Revision}
		a.streams[ev.Stream] = t
	}
	switch {
	case ev.Revision == t.next:
	case ev.Revision < t.next:
		v.add(reordered, "%q@%d at position %s comes after revision %d at %s", ev.Stream, ev.Revision, ev.Position, t.next-1, t.last)
	case ev.Revision > a.checker.hidden(ev.Stream):
		v.add(gaps, "%q@%d comes after revision %d", ev.Stream, ev.Revision, t.next-1)
	}
	t.next = max(t.next, ev.Revision+1)
	t.count++
	t.order = fold(t.order, ev)
	t.last = ev.Position
}

// writer compares an event with what the store told its writer.
func (a *audit) writer(ev *fdbevents.Event, b body) {
	v := &a.checker.verdict
	t, ok := a.writers[b.writer]
	if !ok {
		t = &trail{ledger: a.checker.known(b.writer)}
		a.writers[b.writer] = t
	}
	if t.ledger == nil || int64(b.seq) >= int64(len(t.ledger.entries)) {
		v.add(uncalled, "%s in %q@%d was never sent", b.ident, ev.Stream, ev.Revision)
		return
	}
	e := &t.ledger.entries[b.seq]
	switch {
	case e.seen:
		v.add(duplicated, "%s is also in %q@%d", b.ident, ev.Stream, ev.Revision)
		return
	case e.state == refused:
		v.add(uncalled, "%s in %q@%d had been refused", b.ident, ev.Stream, ev.Revision)
	case e.state == acknowledged && (e.revision != unsaid && e.revision != uint32(ev.Revision) || e.place != unsaid && e.place != place(ev.Stream, ev.Position)):
		v.add(moved, "%s is in %q@%d at position %s, but was acknowledged at revision %d (place %08x)", b.ident, ev.Stream, ev.Revision, ev.Position, e.revision, e.place)
	}
	e.seen = true
	if !t.ledger.ordered {
		return
	}
	stamp := ev.Position.String()[:20]
	switch {
	case t.begun && b.seq < t.seq:
		v.add(reordered, "%s comes after event %d", b.ident, t.seq)
	case b.index > 0 && (!t.begun || b.seq != t.seq+1 || b.index != t.index+1 || stamp != t.stamp):
		v.add(torn, "%s is number %d of %d in its append, but the one before is missing", b.ident, b.index+1, b.count)
	case b.index == 0 && t.begun && t.index+1 != t.count:
		v.add(torn, "%s is number %d of %d in its append, but the next one is missing", ident{b.writer, t.seq}, t.index+1, t.count)
	}
	t.begun, t.seq, t.index, t.count, t.stamp = true, b.seq, b.index, b.count, stamp
}

// compare compares an event with the line.
func (c *cursorOf) compare(checker *checker, ev *fdbevents.Event) {
	if c.bad || !c.line.matches(ev) {
		return
	}
	if c.next < len(c.line.marks) && c.line.marks[c.next] != markOf(ev) {
		c.bad = true
		checker.verdict.add(disagreeing, "%s: readers saw a different event %d than %q@%d at position %s", c.line.name, c.next, ev.Stream, ev.Revision, ev.Position)
	}
	c.next++
}

// finish adds to the verdict what the log does not have.
func (a *audit) finish() {
	c := a.checker
	for i := range a.lines {
		if l := &a.lines[i]; !l.bad && l.next < len(l.line.marks) {
			c.verdict.add(disagreeing, "%s: readers saw %d events, but there are %d", l.line.name, len(l.line.marks), l.next)
		}
	}
	for _, l := range c.ledgers {
		for seq := range l.entries {
			e := &l.entries[seq]
			if e.state == acknowledged && !e.seen && !c.gone(l.writer, e.revision) {
				c.verdict.add(missing, "%s, acknowledged at revision %d", ident{l.writer, uint32(seq)}, e.revision)
			}
		}
	}
	for number, told := range c.claims {
		if won, ok := a.won[number]; !ok {
			c.verdict.add(winners, "claim %d was refused, but nobody has won it", number)
		} else if won != told {
			c.verdict.add(winners, "claim %d was refused because of an event at a different position than the winner's", number)
		}
	}
	for stream, t := range a.streams {
		c.whole(stream, t)
	}
	c.group.finish(a.shared())
}

// shared returns how many events each stream of the consumer group has.
func (a *audit) shared() map[string]int64 {
	out := make(map[string]int64)
	for stream, t := range a.streams {
		if strings.HasPrefix(stream, groupPrefix) {
			out[stream] = t.next
		}
	}
	return out
}

// unresolved counts the events whose outcome is still unknown, and how many of them are
// in the log.
func (c *checker) unresolved() (all, present int) {
	for _, l := range c.ledgers {
		for i := range l.entries {
			if e := &l.entries[i]; e.state == sent {
				all++
				if e.seen {
					present++
				}
			}
		}
	}
	return all, present
}
