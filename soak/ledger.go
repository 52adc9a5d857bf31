package main

import (
	"hash/fnv"
	"sync"

	"github.com/fdbevents/fdbevents"
)

// ledger is what the checker knows of one writer's events: 12 bytes of each.
type ledger struct {
	checker *checker
	writer  uint32
	// ordered is true when each append begins after the one before was
	// acknowledged, so that its events lie in the log in the order of their numbers.
	ordered bool

	mu sync.Mutex
	// entries has one for each event that was ever sent, by its number.
	entries []entry
	// revision is that of the event acknowledged last.
	revision int64
	// next is the number after the highest that was acknowledged.
	next uint32
}

type entry struct {
	// revision and place are those acknowledged; unsaid when the writer was not
	// told.
	revision, place uint32
	state           state
	// seen is true when the event was found in the log.
	seen bool
}

const unsaid = ^uint32(0)

// state is what the writer was told.
type state uint8

const (
	// sent: nothing, or that the outcome is unknown.
	sent state = iota
	acknowledged
	refused
)

// place compresses where an event is: two events get the same by chance only, one
// of four billion times.
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

// at is the entry of an event, made if need be. The caller holds mu.
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

// acknowledge notes where an event is. It returns true the first time.
func (l *ledger) acknowledge(seq uint32, revision, at uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.at(seq)
	id := ident{l.writer, seq}
	first := e.state != acknowledged
	if e.state == refused {
		l.checker.verdict.add(uncalled, "%s was refused, and then acknowledged", id)
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
		l.checker.verdict.add(uncalled, "%s was acknowledged, and then refused", ident{l.writer, seq})
	}
	e.state = refused
}

// resume tells a writer that follows a dead one where to go on: with the number
// after those acknowledged, whose stream had that revision last.
func (l *ledger) resume() (next uint32, revision int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next, l.revision
}
