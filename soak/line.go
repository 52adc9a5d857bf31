package main

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/fdbevents/fdbevents"
)

// line is the order of some events as the first reader saw it. Every other reader of
// the same events must see the same order. A line keeps 16 bytes per event.
type line struct {
	name    string
	matches func(ev *fdbevents.Event) bool

	mu    sync.Mutex
	marks []mark
}

type mark struct {
	at   fdbevents.Position
	what uint32
}

// newLine makes a line, which the checker compares with the log in the end.
func (c *checker) newLine(name string, matches func(ev *fdbevents.Event) bool) *line {
	l := &line{name: name, matches: matches}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, l)
	return l
}

// lasting selects events that are never scavenged, which all readers of the log see.
func lasting(ev *fdbevents.Event) bool { return !strings.HasPrefix(ev.Stream, lifePrefix) }

// markOf compresses an event as a reader saw it.
func markOf(ev *fdbevents.Event) mark {
	h := uint32(2166136261)
	add := func(b byte) { h = (h ^ uint32(b)) * 16777619 }
	for i := range len(ev.Stream) {
		add(ev.Stream[i])
	}
	for i := range 8 {
		add(byte(ev.Revision >> (8 * i)))
	}
	for _, b := range ev.ID {
		add(b)
	}
	return mark{ev.Position, h}
}

// see puts a mark at an index, or compares it with the mark that is already there.
func (l *line) see(index int, m mark) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index == len(l.marks) {
		l.marks = append(l.marks, m)
		return true
	}
	return index < len(l.marks) && l.marks[index] == m
}

// before returns how many events of the line are at or before a position.
func (l *line) before(at fdbevents.Position) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sort.Search(len(l.marks), func(i int) bool { return at.Before(l.marks[i].at) })
}

// pick returns the position of the event at a fraction of the line.
func (l *line) pick(fraction float64) fdbevents.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.marks) == 0 {
		return fdbevents.Start
	}
	return l.marks[int(fraction*float64(len(l.marks)))%len(l.marks)].at
}

// follower compares what one reader sees with the line.
type follower struct {
	checker *checker
	line    *line
	name    string
	// index is the index of the next event in the line, at the position of the last
	// event seen.
	index int
	at    fdbevents.Position
	// lost is true once the reader disagreed: everything after that would, too.
	lost bool
}

// follow returns a follower for a reader that has seen everything up to a position.
func (c *checker) follow(l *line, name string, after fdbevents.Position) *follower {
	return &follower{checker: c, line: l, name: name, at: after, index: l.before(after)}
}

// see compares an event with the line, and passes over events that are not in it.
func (f *follower) see(ev *fdbevents.Event) {
	if f.lost {
		return
	}
	if !f.at.Before(ev.Position) {
		f.disagree(fmt.Sprintf("got position %s after %s", ev.Position, f.at))
		return
	}
	f.at = ev.Position
	if !f.line.matches(ev) {
		return
	}
	if !f.line.see(f.index, markOf(ev)) {
		f.disagree(fmt.Sprintf("got %q@%d at position %s as event %d of %s, where others got another event", ev.Stream, ev.Revision, ev.Position, f.index, f.line.name))
		return
	}
	f.index++
}

func (f *follower) disagree(text string) {
	f.lost = true
	f.checker.verdict.add(disagreeing, "%s: %s", f.name, text)
}

// back makes a reader go on from an earlier position, from where it sees events again.
func (f *follower) back(after fdbevents.Position) {
	f.at, f.index = after, f.line.before(after)
}

// rejoin makes a reader go on with an event at or before the one that would be next, as
// a reader does whose checkpoint is behind. It must not skip an event.
func (f *follower) rejoin(ev *fdbevents.Event) {
	l := f.line
	l.mu.Lock()
	index := sort.Search(len(l.marks), func(i int) bool { return !l.marks[i].at.Before(ev.Position) })
	l.mu.Unlock()
	if index > f.index && !f.lost {
		f.disagree(fmt.Sprintf("goes on with event %d, but has seen only %d", index, f.index))
	}
	f.index, f.at = index, fdbevents.Start
}
