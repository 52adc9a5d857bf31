package fdblayer_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// rangeLog is an engine that keeps the revision at which each range read of a stream's
// entries begins.
type rangeLog struct {
	engine.Engine
	mu     sync.Mutex
	begins []int64
}

func (l *rangeLog) Begin(ctx context.Context) engine.Transaction {
	return &rangeLogTransaction{Transaction: l.Engine.Begin(ctx), log: l}
}

func (l *rangeLog) note(r engine.Range) {
	k := layout.Keys{Prefix: l.Prefix()}
	if !k.AllEntries().Contains(r.Begin) {
		return
	}
	if _, revision, err := k.ParseEntry(r.Begin); err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.begins = append(l.begins, revision)
	}
}

type rangeLogTransaction struct {
	engine.Transaction
	log *rangeLog
}

func (t *rangeLogTransaction) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	t.log.note(r)
	return t.Transaction.GetRange(r, o)
}

func (t *rangeLogTransaction) Snapshot() engine.Reader {
	return &rangeLogReader{t.Transaction.Snapshot(), t.log}
}

type rangeLogReader struct {
	engine.Reader
	log *rangeLog
}

func (r *rangeLogReader) GetRange(rg engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	r.log.note(rg)
	return r.Reader.GetRange(rg, o)
}

// TestScavengingOneStreamIsLinear fails when a step of a scavenge begins at the stream's
// start again: it would pass over all that was removed before, each time.
func TestScavengingOneStreamIsLinear(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := &rangeLog{Engine: inner}
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		const events = 2000
		storetest.MustAppend(t, s, "s", fdbevents.Any, someEvents(events)...)
		storetest.OK(t, s.Truncate(t.Context(), "s", fdbevents.StreamEnd))
		e.begins = nil
		report, err := s.Scavenge(t.Context(), fdblayer.ScavengeOptions{})
		if err != nil || report.Events != events {
			t.Fatalf("removed %d events, want %d: %v", report.Events, events, err)
		}
		steps := make(map[int64]int)
		for _, revision := range e.begins {
			steps[revision]++
		}
		for revision, n := range steps {
			if n > 2 { // one to look, one to remove
				t.Errorf("%d reads begin at revision %d, want 2 at most", n, revision)
			}
		}
		if len(steps) < 5 {
			t.Errorf("the scavenge took %d steps, too few to tell", len(steps))
		}
	})
}

func someEvents(n int) (events []fdbevents.EventData) {
	for range n {
		events = append(events, storetest.Event("e"))
	}
	return events
}

// TestChunksGoWithTheirRecord scavenges and erases records of several chunks, and leaves
// one key of each in the log.
func TestChunksGoWithTheirRecord(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		large := storetest.EventWithID("large", "large")
		large.Data = bytes.Repeat([]byte("x"), 300_000)
		storetest.MustAppend(t, s, "scavenged", fdbevents.Any, large, storetest.Event("small"))
		storetest.MustAppend(t, s, "erased", fdbevents.Any, large)
		keys := func() (n int) {
			for p := range s.Door().Partitions() {
				for _, err := range s.Door().Scan(t.Context(), s.Door().Keys().Log(p, fdbevents.Start, fdbevents.End)) {
					storetest.OK(t, err)
					n++
				}
			}
			return n
		}
		if n := keys(); n != 9 {
			t.Fatalf("got %d keys in the log, want two records of four chunks and one of one", n)
		}
		storetest.OK(t, s.Truncate(t.Context(), "scavenged", fdbevents.StreamEnd))
		_, err := s.Scavenge(t.Context(), fdblayer.ScavengeOptions{})
		storetest.OK(t, err)
		if n := keys(); n != 6 {
			t.Errorf("after scavenging: got %d keys in the log, want 6", n)
		}
		_, err = s.Erase(t.Context(), large.ID)
		storetest.OK(t, err)
		if n := keys(); n != 3 {
			t.Errorf("after erasing: got %d keys in the log, want 3", n)
		}
	})
}
