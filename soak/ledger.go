package main

import (
	"hash/fnv"
	"sync"

	"github.com/fdbevents/fdbevents"
)

// ledger is what the checker knows about one writer's events: 12 bytes for each.
type ledger struct {
	checker *checker
	writer  uint32
	// ordered is true if each append begins after the one before was acknowledged, so
	// that the writer's events are in the log in the order of their numbers.
	ordered bool

	mu sync.Mutex
	// entries has an entry for each event that was ever sent, by its number.
	entries []entry
	// revision is the revision of the last acknowledged event.
	revision int64
	// next is the number after the highest acknowledged one.
	next uint32
}

type entry struct {
	// revision and place are the acknowledged ones, unsaid if the writer was not told
	// them.
	revision, place uint32
	state           state
	// seen is true if the event was found in the log.
	seen bool
}

const unsaid = ^uint32(0)

// state is what the writer was told about an event.
type state uint8

const (
	// sent: nothing yet, or that the outcome is unknown.
	sent state = iota
	acknowledged
	refused
)

// place compresses where an event is. Two events have the same place only by chance,
// once in four billion times.
func place(stream string, at fdbevents.Position) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(stream))
	text := at.String()
	_, _ = h.Write([]byte(text))
	if p := h.Sum32(); p != unsaid {
		return p
	}
	return 0
}

// at returns the entry of an event, and creates it if necessary. The caller holds mu.
func (l *ledger) at(seq uint32) *entry {
	for uint32(len(l.entries)) <= seq {
		l.entries = append(l.entries, entry{revision: unsaid, place: unsaid})
	}
	return &l.entries[seq]
}

// send notes that events up to a number may be in the store from now on.
func (l *ledger) send(through uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at(through)
}

// acknowledge notes where an event is. It returns true the first time, for each event.
func (l *ledger) acknowledge(seq uint32, revision, at uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.at(seq)
	id := ident{l.writer, seq}
	first := e.state != acknowledged
	if e.state == refused {
		l.checker.verdict.add(uncalled, "%s was refused and then acknowledged", id)
	}
	if e.revision != unsaid && revision != unsaid && e.revision != revision || e.place != unsaid && at != unsaid && e.place != at {
		l.checker.verdict.add(duplicated, "%s was acknowledged at revision %d (place %08x) and again at %d (place %08x)", id, e.revision, e.place, revision, at)
	}
	e.state = acknowledged
	if revision != unsaid {
		e.revision = revision
	}
	if at != unsaid {
		e.place = at
	}
	if seq >= l.next {
		l.next, l.revision = seq+1, int64(revision)
	}
	return first
}

// refuse notes that an event was not stored.
func (l *ledger) refuse(seq uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.at(seq)
	if e.state == acknowledged {
		l.checker.verdict.add(uncalled, "%s was acknowledged and then refused", ident{l.writer, seq})
	}
	e.state = refused
}

// resume returns where the successor of a dead writer goes on: the number after the
// last acknowledged event, and that event's revision.
func (l *ledger) resume() (next uint32, revision int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next, l.revision
}
