package fdblayer_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// TestExactlyOnceUnderUnknownCommits runs every kind of append while two in five commits
// fail, and counts afterwards.
func TestExactlyOnceUnderUnknownCommits(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		for seed := range uint64(3) {
			testExactlyOnce(t, e, seed)
		}
	})
}

func testExactlyOnce(t *testing.T, inner engine.Engine, seed uint64) {
	e := storetest.NewFlakyEngine(inner, seed, 40)
	s := storetest.OpenStore(t, e, fdblayer.Options{})
	const writers, rounds = 8, 25
	var acked sync.Map // event name → revision
	ack := func(name string, r fdbevents.AppendResult) {
		if _, twice := acked.LoadOrStore(fmt.Sprint(seed, name), r.LastRevision); twice {
			t.Errorf("%s acknowledged twice", name)
		}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			own := fmt.Sprint(seed, "own-", w)
			shared := fmt.Sprint(seed, "shared-", w%3)
			next := fdbevents.NoStream
			for i := range rounds {
				name := func(kind string) string { return fmt.Sprintf("%s-%d-%d", kind, w, i) }
				r, err := s.Append(t.Context(), own, next, storetest.Event(name("exact")))
				if err != nil {
					t.Errorf("seed %d: exact append: %v", seed, err)
					return
				}
				ack(name("exact"), r)
				if r, err = s.Append(t.Context(), shared, fdbevents.Any, storetest.Event(name("any"))); err != nil {
					t.Errorf("seed %d: any append: %v", seed, err)
					return
				}
				ack(name("any"), r)
				results, err := s.AppendMany(t.Context(), storetest.AppendTo(shared, storetest.Event(name("many1"))), storetest.AppendTo(own, storetest.Event(name("many2"))))
				if err != nil {
					t.Errorf("seed %d: append to many: %v", seed, err)
					return
				}
				ack(name("many1"), results[0])
				ack(name("many2"), results[1])
				next = fdbevents.ExpectedRevision(results[1].LastRevision)
				tag := fmt.Sprint(seed, name("claim"))
				results, err = s.AppendIf(t.Context(), fdbevents.Condition{Query: storetest.Query(fdbevents.QueryItem{Tags: []string{tag}})}, storetest.AppendTo(shared, storetest.Tagged(name("if"), tag)))
				if err != nil {
					t.Errorf("seed %d: conditional append: %v", seed, err)
					return
				}
				ack(name("if"), results[0])
				results, err = s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
					tx.Data("count").Add([]byte(fmt.Sprint(seed)), 1)
					_, err := tx.Append(shared, fdbevents.Any, storetest.Event(name("tx")))
					return err
				})
				if err != nil {
					t.Errorf("seed %d: transaction: %v", seed, err)
					return
				}
				ack(name("tx"), results[0])
				// A transaction without appends must not be run twice either.
				if _, err = s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
					tx.Data("count").Add([]byte(fmt.Sprint(seed)), 1)
					return nil
				}); err != nil {
					t.Errorf("seed %d: transaction: %v", seed, err)
					return
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for ev, err := range s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.InStreams(fmt.Sprint(seed))}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[ev.Type] {
			t.Errorf("seed %d: %s is stored twice", seed, ev.Type)
		}
		seen[ev.Type] = true
		if revision, ok := acked.Load(fmt.Sprint(seed, ev.Type)); !ok || revision != ev.Revision {
			t.Errorf("seed %d: %s: got revision %d, want %v as its append returned", seed, ev.Type, ev.Revision, revision)
		}
	}
	if want := writers * rounds * 6; len(seen) != want {
		t.Errorf("seed %d: got %d events, want %d", seed, len(seen), want)
	}
	if n := binary.LittleEndian.Uint64(dataGet(t, s, "count", fmt.Sprint(seed))); n != 2*writers*rounds {
		t.Errorf("seed %d: got a count of %d from transactions, want %d", seed, n, 2*writers*rounds)
	}
	if e.UnknownIn.Load() < 50 || e.Unknowns.Load() < 50 {
		t.Errorf("seed %d: got only %d unknown commits that happened and %d that did not, want at least 50 of each", seed, e.UnknownIn.Load(), e.Unknowns.Load())
	}
}

// TestOutcomeUnknown checks what a caller sees when the store cannot find out the
// outcome.
func TestOutcomeUnknown(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := storetest.NewFlakyEngine(inner, 0, 0)
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		ev := storetest.EventWithID("e", "1")
		for _, lands := range []bool{true, false} {
			stream := fmt.Sprint("s-", lands)
			e.FailNext = func(t *storetest.FlakyTransaction) error {
				if lands {
					if err := t.Transaction.Commit(); err != nil {
						return err
					}
				}
				return engine.ErrTimedOut
			}
			_, err := s.Append(t.Context(), stream, fdbevents.NoStream, ev)
			want := "append may or may not have happened; repeat it with the same event ids: transaction timed out (1031)"
			if !errors.Is(err, fdbevents.ErrOutcomeUnknown) || !errors.Is(err, engine.ErrTimedOut) || err.Error() != want {
				t.Errorf("got %v, want %q", err, want)
			}
			e.FailNext = nil
			r, err := s.Append(t.Context(), stream, fdbevents.NoStream, ev)
			if err != nil || r.Repeat != lands || r.LastRevision != 0 {
				t.Errorf("the commit landed: %v; its repeat: got %+v, %v", lands, r, err)
			}
		}
	})
}

// TestOutcomeUnknownOfAClosedEngine checks that a commit whose outcome is unknown is not
// reported as failed because the engine is closed before the outcome is looked up.
func TestOutcomeUnknownOfAClosedEngine(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := storetest.NewFlakyEngine(inner, 0, 0)
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		e.FailNext = func(t *storetest.FlakyTransaction) error {
			if err := t.Transaction.Commit(); err != nil {
				return err
			}
			return engine.ErrCommitUnknown
		}
		e.GiveUp = engine.ErrClosed
		_, err := s.Append(t.Context(), "s", fdbevents.NoStream, storetest.Event("e"))
		if !errors.Is(err, fdbevents.ErrOutcomeUnknown) || !errors.Is(err, fdbevents.ErrClosed) {
			t.Errorf("got %v, want an unknown outcome of a closed store", err)
		}
		e.FailNext, e.GiveUp = nil, nil
	})
}

// TestLateCommitIsRefused has an attempt that was given up land after the next batch of
// its marker. The mark must keep it out.
func TestLateCommitIsRefused(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := storetest.NewFlakyEngine(inner, 0, 0)
		s := storetest.OpenStore(t, e, fdblayer.Options{Partitions: 1})
		var late engine.Transaction
		e.FailNext = func(t *storetest.FlakyTransaction) error {
			t.Abandoned, late = true, t.Transaction
			return engine.ErrTimedOut
		}
		if _, err := s.Append(t.Context(), "a", fdbevents.Any, storetest.Event("late")); !errors.Is(err, fdbevents.ErrOutcomeUnknown) {
			t.Fatalf("got %v, want ErrOutcomeUnknown", err)
		}
		e.FailNext = nil
		storetest.MustAppend(t, s, "b", fdbevents.Any, storetest.Event("next"))
		if err := late.Commit(); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("late commit: got %v, want a conflict", err)
		}
		late.Cancel()
		if n := len(storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))); n != 1 {
			t.Errorf("got %d events, want 1", n)
		}
	})
}

// TestCloseGivesUp closes a store on an engine that does not answer. It takes as long as
// Close is willing to wait.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	e := storetest.NewFlakyEngine(storetest.OpenMemory(t), 0, 0)
	s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hanging := make(chan struct{})
	e.FailNext = func(t *storetest.FlakyTransaction) error {
		close(hanging)
		<-t.Ctx.Done()
		return fmt.Errorf("%w: %w", engine.ErrCommitUnknown, t.Ctx.Err())
	}
	pending, err := s.AppendAsync(t.Context(), "s", fdbevents.Any, storetest.Event("e"))
	if err != nil {
		t.Fatal(err)
	}
	<-hanging
	e.FailNext = nil
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// The caller's own context goes on, so it cannot explain the error.
	if _, err := pending.Wait(); !errors.Is(err, fdbevents.ErrOutcomeUnknown) || !errors.Is(err, fdbevents.ErrClosed) {
		t.Errorf("got %v, want an unknown outcome of a closed store", err)
	}
}
