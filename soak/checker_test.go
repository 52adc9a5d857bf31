package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fdbevents/fdbevents"
)

const testSeed = 7

// history is a made-up log, with what the checker was told about it.
type history struct {
	t       *testing.T
	checker *checker
	log     []fdbevents.Event
}

func at(n int) fdbevents.Position {
	// Each event has its own transaction.
	p, err := fdbevents.ParsePosition(fmt.Sprintf("%016x00000000", n+1))
	if err != nil {
		panic(err)
	}
	return p
}

// event makes an event at the given place of the log.
func (h *history) event(stream string, revision int64, n int, b body, tags ...string) fdbevents.Event {
	if b.count == 0 {
		b.count = 1
	}
	ev := newEvent(testSeed, b, tags...)
	return fdbevents.Event{Stream: stream, Revision: revision, Position: at(n), ID: ev.ID, Type: ev.Type, Tags: tags, Data: ev.Data}
}

// store puts an event into the log and acknowledges it.
func (h *history) store(ev fdbevents.Event) {
	b, err := decodeBody(ev.Data)
	if err != nil {
		h.t.Fatal(err)
	}
	h.log = append(h.log, ev)
	h.checker.sent(b.writer, true, b.seq)
	h.acknowledge(b.ident, ev)
}

func (h *history) acknowledge(id ident, ev fdbevents.Event) {
	h.checker.appended(report{Writer: id.writer, First: id.seq, Ordered: true, Results: []reported{
		{Stream: ev.Stream, First: ev.Revision, Last: ev.Revision, At: ev.Position, Count: 1},
	}})
}

// sound returns a history without defects: a few writers and streams, a chain, claims,
// and what a group did.
func sound(t *testing.T) *history {
	h := &history{t: t, checker: newChecker(testSeed)}
	n := 0
	for i := range uint32(10) {
		h.store(h.event("a", int64(i), n, body{ident: ident{1, i}}))
		h.store(h.event(groupPrefix+"0", int64(i), n+1, body{ident: ident{2, i}, kind: chained, number: 5<<32 | uint64(i)}))
		h.store(h.event("c", int64(i), n+2, body{ident: ident{3, i}, kind: claim, number: uint64(i)}))
		n += 3
	}
	h.checker.lost(4, h.log[4*3+2].Position)
	for i := range int64(10) {
		for _, what := range []string{handedOut, settled} {
			h.checker.note(handing{What: what, Stream: groupPrefix + "0", Revision: i, Epoch: 1})
		}
	}
	return h
}

// follow makes a reader see some of the log.
func (h *history) follow(l *line, name string, events ...fdbevents.Event) *follower {
	f := h.checker.follow(l, name, fdbevents.Start)
	for i := range events {
		f.see(&events[i])
	}
	return f
}

// TestCheckerNamesEachDefect checks that the checker can fail: in each history one
// thing is wrong, and the checker must say which.
func TestCheckerNamesEachDefect(t *testing.T) {
	everything := func(h *history) *line { return h.checker.newLine("all", func(*fdbevents.Event) bool { return true }) }
	for _, c := range []struct {
		what  string
		harm  func(h *history)
		wants []defect
	}{
		{"nothing", func(h *history) {}, nil},
		{"nothing, with readers", func(h *history) {
			l := everything(h)
			h.follow(l, "one", h.log...).rejoin(&h.log[5])
			h.follow(l, "two", h.log[:20]...)
		}, nil},
		{"the last event is missing", func(h *history) { h.log = h.log[:29] }, []defect{missing}},
		{"an event in the middle is missing", func(h *history) { h.log = slices.Delete(h.log, 9, 10) }, []defect{missing, gaps}},
		{"an event is there twice", func(h *history) {
			h.log = append(h.log, h.event("a", 10, 50, body{ident: ident{1, 3}}))
		}, []defect{duplicated}},
		{"a repeat was acknowledged at another revision", func(h *history) {
			h.acknowledge(ident{1, 3}, h.event("a", 11, 51, body{ident: ident{1, 3}}))
		}, []defect{duplicated, moved}},
		{"the log is out of order", func(h *history) { h.log[4], h.log[5] = h.log[5], h.log[4] }, []defect{reordered}},
		{"a stream is out of order", func(h *history) {
			a, b := h.log[9], h.log[12]
			h.log[9], h.log[12] = b, a
			h.log[9].Position, h.log[12].Position = a.Position, b.Position
		}, []defect{reordered, gaps, moved}},
		{"a writer's events are out of order", func(h *history) {
			h.store(h.event("b", 0, 50, body{ident: ident{1, 11}}))
			h.store(h.event("b", 1, 51, body{ident: ident{1, 10}}))
		}, []defect{reordered}},
		{"a revision is left out", func(h *history) {
			h.store(h.event("a", 11, 50, body{ident: ident{1, 10}}))
		}, []defect{gaps}},
		{"half of an append is there", func(h *history) {
			h.store(h.event("a", 10, 50, body{ident: ident{1, 10}, index: 0, count: 2}))
			h.store(h.event("a", 11, 52, body{ident: ident{1, 12}, index: 0, count: 1}))
		}, []defect{torn}},
		{"an append is in two transactions", func(h *history) {
			h.store(h.event("a", 10, 50, body{ident: ident{1, 10}, index: 0, count: 2}))
			h.store(h.event("a", 11, 51, body{ident: ident{1, 11}, index: 1, count: 2}))
		}, []defect{torn}},
		{"an event is elsewhere", func(h *history) { h.log[29].Position = at(99) }, []defect{moved}},
		{"an event is damaged", func(h *history) {
			h.log[3].Data = slices.Clone(h.log[3].Data)
			h.log[3].Data[5] ^= 1
		}, []defect{damaged, missing}},
		{"an event has another id", func(h *history) { h.log[3].ID[0] ^= 1 }, []defect{damaged}},
		{"an event was never sent", func(h *history) {
			h.log = append(h.log, h.event("a", 10, 50, body{ident: ident{1, 10}}))
		}, []defect{uncalled}},
		{"an event was refused", func(h *history) {
			h.log = append(h.log, h.event("a", 10, 50, body{ident: ident{1, 10}}))
			h.checker.sent(1, true, 10)
			h.checker.refused(ident{1, 10})
		}, []defect{uncalled}},
		{"a reader skips an event", func(h *history) {
			l := everything(h)
			h.follow(l, "one", h.log...)
			h.follow(l, "two", append(slices.Clone(h.log[:7]), h.log[8:]...)...)
		}, []defect{disagreeing}},
		{"all readers skip an event", func(h *history) {
			l := everything(h)
			h.follow(l, "one", append(slices.Clone(h.log[:7]), h.log[8:]...)...)
			h.follow(l, "two", append(slices.Clone(h.log[:7]), h.log[8:]...)...)
		}, []defect{disagreeing}},
		{"a reader sees an event twice", func(h *history) {
			h.follow(everything(h), "one", h.log[0], h.log[1], h.log[1])
		}, []defect{disagreeing}},
		{"a reader sees another order", func(h *history) {
			h.follow(everything(h), "one", h.log[0], h.log[2], h.log[1])
		}, []defect{disagreeing}},
		{"a reader sees what is not there", func(h *history) {
			h.follow(everything(h), "one", append(h.log[:30:30], h.event("a", 10, 50, body{ident: ident{1, 10}}))...)
		}, []defect{disagreeing}},
		{"a checkpoint is ahead", func(h *history) {
			l := everything(h)
			h.follow(l, "one", h.log...)
			h.follow(l, "two", h.log[:10]...).rejoin(&h.log[12])
		}, []defect{disagreeing}},
		{"a claim has two winners", func(h *history) {
			h.store(h.event("c", 10, 50, body{ident: ident{3, 10}, kind: claim, number: 4}))
		}, []defect{winners}},
		{"a claim has no winner", func(h *history) { h.checker.lost(77, at(3)) }, []defect{winners}},
		{"a condition did not hold", func(h *history) {
			h.store(h.event(groupPrefix+"1", 0, 50, body{ident: ident{4, 0}, kind: chained, number: 5<<32 | 9}))
			h.checker.note(handing{What: inDoubt, Stream: groupPrefix + "1", Epoch: 1})
		}, []defect{chains}},
		{"a message was never acknowledged", func(h *history) {
			h.store(h.event(groupPrefix+"0", 10, 50, body{ident: ident{4, 0}}))
			h.checker.note(handing{What: handedOut, Stream: groupPrefix + "0", Revision: 10, Epoch: 1})
		}, []defect{unshared}},
		{"a message is handed out again after it was acknowledged", func(h *history) {
			h.checker.note(handing{What: handedOut, Stream: groupPrefix + "0", Revision: 3, Epoch: 2})
		}, []defect{outOfTurn}},
		{"a message comes too soon", func(h *history) {
			h.checker.note(handing{What: handedOut, Stream: groupPrefix + "9", Revision: 3, Epoch: 2})
			h.checker.note(handing{What: handedOut, Stream: groupPrefix + "9", Revision: 5, Epoch: 2})
		}, []defect{outOfTurn}},
		{"a message is acknowledged twice", func(h *history) {
			h.checker.note(handing{What: settled, Stream: groupPrefix + "0", Revision: 3, Epoch: 1})
		}, []defect{outOfTurn}},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := sound(t)
			c.harm(h)
			verify(t, h, c.wants)
		})
	}
}

// verify audits the history and compares the defects found with those wanted.
func verify(t *testing.T, h *history, wants []defect) *audit {
	t.Helper()
	a, err := h.checker.audit(func(yield func(fdbevents.Event, error) bool) {
		for _, ev := range h.log {
			if !yield(ev, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for d := range defects {
		found, want := h.checker.verdict.counts[d] > 0, slices.Contains(wants, d)
		if found != want {
			t.Errorf("%s: got %t, want %t: %q", defectNames[d], found, want, h.checker.verdict.first[d])
		}
	}
	return a
}

// TestCheckerOfLifetimes checks that a truncated stream may lack only what readers do
// not see.
func TestCheckerOfLifetimes(t *testing.T) {
	for _, c := range []struct {
		what      string
		scavenged int
		revisions []int64
		wants     []defect
	}{
		{"all", 0, []int64{4, 5, 6, 7, 8, 9}, nil},
		{"scavenged", 4, []int64{4, 5, 6, 7, 8, 9}, nil},
		{"scavenged too much", 6, []int64{4, 5, 6, 7, 8, 9}, []defect{missing, gaps}},
		{"scavenged all", 10, []int64{4, 5, 6, 7, 8, 9}, []defect{missing}},
		{"hidden ones are seen", 0, []int64{3, 4, 5, 6, 7, 8, 9}, []defect{lifetimes}},
		{"too many are hidden", 0, []int64{5, 6, 7, 8, 9}, []defect{lifetimes}},
		{"the last is hidden", 0, []int64{4, 5, 6, 7, 8}, []defect{lifetimes}},
		{"one in the middle is", 0, []int64{4, 5, 7, 8, 9}, []defect{lifetimes}},
		{"all are", 0, nil, []defect{lifetimes}},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := sound(t)
			stream := lifePrefix + "0"
			l := h.checker.life(stream, 9)
			for i := range 10 {
				h.store(h.event(stream, int64(i), 100+i, body{ident: ident{9, uint32(i)}, kind: fleeting}))
				l.next++
			}
			l.before = 4
			l.first()
			h.log = slices.Delete(h.log, 30, 30+c.scavenged)
			h.checker.visible(stream, c.revisions)
			verify(t, h, c.wants)
		})
	}
}

func TestCheckerOfProjections(t *testing.T) {
	for _, c := range []struct {
		view map[uint32]uint64
		want int
	}{
		{map[uint32]uint64{1: 10, 2: 10, 3: 10}, 0},
		{map[uint32]uint64{1: 10, 2: 9, 3: 10}, 1},
		{map[uint32]uint64{1: 10, 2: 10}, 1},
		{map[uint32]uint64{1: 10, 2: 10, 3: 10, 4: 1}, 1},
	} {
		h := sound(t)
		a := verify(t, h, nil)
		a.projection(c.view)
		if got := h.checker.verdict.counts[projected]; got != c.want {
			t.Errorf("%v: got %d defects, want %d", c.view, got, c.want)
		}
	}
}
