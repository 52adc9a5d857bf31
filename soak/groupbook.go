package main

import "sync"

// groupBook records what the members of a consumer group, in all processes, were handed
// and told. Reports of different processes may arrive in any order, so the epochs of
// the leases say which came first.
type groupBook struct {
	checker *checker
	mu      sync.Mutex
	streams map[string]*groupStream
	// handed counts the messages handed out, settled the acknowledged ones, and fenced
	// the settlements that were refused.
	handed, settled, fenced int64
}

type groupStream struct {
	events []groupEvent
	// turns is the revision that was last handed out in each epoch.
	turns map[int64]int64
}

type groupEvent struct {
	// latest is the highest epoch in which the event was handed out, acked the epoch in
	// which it was acknowledged, or 0.
	latest, acked int32
	// doubt is true if the member may not have learned the outcome.
	doubt bool
}

// handing reports that a member was handed an event, or the outcome of settling it.
type handing struct {
	What     string
	Stream   string
	Revision int64
	Epoch    int64
	// Replayed is true for events that had been parked, which come out of turn.
	Replayed bool
}

const (
	handedOut = "handed"
	settled   = "acknowledged"
	inDoubt   = "in doubt"
	fenced    = "fenced"
)

func (b *groupBook) event(stream string, revision int64) (*groupStream, *groupEvent) {
	if b.streams == nil {
		b.streams = make(map[string]*groupStream)
	}
	s := b.streams[stream]
	if s == nil {
		s = &groupStream{turns: make(map[int64]int64)}
		b.streams[stream] = s
	}
	for int64(len(s.events)) <= revision {
		s.events = append(s.events, groupEvent{})
	}
	return s, &s.events[revision]
}

// note records a report. Reports of one member come in the order in which things
// happened.
func (b *groupBook) note(h handing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ev := b.event(h.Stream, h.Revision)
	switch h.What {
	case handedOut:
		b.handed++
		ev.latest = max(ev.latest, int32(h.Epoch))
		if h.Replayed {
			return
		}
		// One member holds a partition in an epoch.
		if last, ok := s.turns[h.Epoch]; ok && h.Revision != last && h.Revision != last+1 {
			b.checker.verdict.add(outOfTurn, "%s@%d comes after revision %d in epoch %d", h.Stream, h.Revision, last, h.Epoch)
		}
		s.turns[h.Epoch] = h.Revision
	case settled:
		b.settled++
		if ev.acked != 0 {
			b.checker.verdict.add(outOfTurn, "%s@%d is acknowledged in epochs %d and %d", h.Stream, h.Revision, ev.acked, h.Epoch)
		}
		ev.acked = int32(h.Epoch)
	case inDoubt:
		ev.doubt = true
	case fenced:
		b.fenced++
	}
}

// finish verifies that each event was acknowledged, and that it was not handed out in
// a later epoch. counts is how many events each stream has.
func (b *groupBook) finish(counts map[string]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for stream, n := range counts {
		for revision := range n {
			_, ev := b.event(stream, revision)
			switch {
			case ev.acked == 0 && !ev.doubt:
				b.checker.verdict.add(unshared, "%s@%d", stream, revision)
			case ev.acked != 0 && ev.latest > ev.acked:
				b.checker.verdict.add(outOfTurn, "%s@%d was acknowledged in epoch %d, but handed out in epoch %d", stream, revision, ev.acked, ev.latest)
			}
		}
	}
}
