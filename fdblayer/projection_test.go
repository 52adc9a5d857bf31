package fdblayer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// sums is the view of these tests: the number of events of each type, and a digest that
// depends on every event and on their order.
type sums map[string]string

func (v sums) add(ev *fdbevents.Event) {
	n := make([]byte, 8)
	copy(n, v["type "+ev.Type])
	v["type "+ev.Type] = string(binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(n)+1))
	v["digest"] = digest(v["digest"], ev)
}

func digest(before string, ev *fdbevents.Event) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %x", before, ev.ID, ev.Position, ev.Revision, ev.Data))
	return string(sum[:])
}

// project is the handler of that view.
func (sums) project(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
	view, err := tx.View("sums")
	if err != nil {
		return err
	}
	before, err := view.Get([]byte("digest"))
	if err != nil {
		return err
	}
	d := string(before)
	for i := range events {
		view.Add([]byte("type "+events[i].Type), 1)
		d = digest(d, &events[i])
	}
	view.Set([]byte("digest"), []byte(d))
	return nil
}

// readView reads a projection's view.
func readView(t testing.TB, s *fdblayer.Store, name string) sums {
	t.Helper()
	var got sums
	_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
		got = sums{}
		view, err := tx.View(name)
		if err != nil {
			return err
		}
		p, err := view.GetRange(engine.Range{}, engine.RangeOptions{})
		for _, kv := range p.KeyValues {
			got[string(kv.Key)] = string(kv.Value)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// computed returns the view as computed from the log.
func computed(t testing.TB, s *fdblayer.Store, o fdblayer.ProjectOptions) sums {
	t.Helper()
	v := sums{}
	for _, ev := range storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: o.Filter})) {
		v.add(&ev)
	}
	return v
}

func sameView(t testing.TB, what string, got, want sums) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: got view %x, want %x from the log", what, got, want)
	}
}

type handler = func(context.Context, *fdblayer.Tx, []fdbevents.Event) error

// running is a Project call in the background.
type running struct {
	stop  context.CancelFunc
	ended chan error
}

func project(t testing.TB, s *fdblayer.Store, name string, o fdblayer.ProjectOptions, h handler) running {
	ctx, cancel := context.WithCancel(t.Context())
	r := running{stop: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- s.Project(ctx, name, o, h) }()
	return r
}

// end stops the projection, which must have had no error until then.
func (r running) end(t testing.TB) {
	t.Helper()
	r.stop()
	if err := <-r.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the projection ended with %v, want context.Canceled", err)
	}
}

// projectUntilCaughtUp runs a projection until it has caught up with the log.
func projectUntilCaughtUp(t testing.TB, s *fdblayer.Store, name string, o fdblayer.ProjectOptions, h handler) {
	t.Helper()
	live := make(chan struct{})
	o.CaughtUp = sync.OnceFunc(func() { close(live) })
	r := project(t, s, name, o, h)
	select {
	case <-live:
		r.end(t)
	case err := <-r.ended:
		t.Fatal(err)
	}
}

func TestProject(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		if _, err := s.Projection(t.Context(), "sums"); !errors.Is(err, fdbevents.ErrProjectionNotFound) {
			t.Errorf("got %v, want ErrProjectionNotFound", err)
		}
		_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) error { _, err := tx.View("sums"); return err })
		if !errors.Is(err, fdbevents.ErrProjectionNotFound) {
			t.Errorf("view: got %v, want ErrProjectionNotFound", err)
		}
		o := fdblayer.ProjectOptions{Filter: fdbevents.Filter{StreamPrefixes: []string{"s"}, Query: storetest.Query(fdbevents.QueryItem{Types: []string{"type0", "type1"}})}}
		var v sums
		projectUntilCaughtUp(t, s, "sums", o, v.project) // of an empty log
		for _, n := range []int{700, 50} {
			storetest.Fill(t, s, n)
			projectUntilCaughtUp(t, s, "sums", o, v.project)
			sameView(t, "caught up", readView(t, s, "sums"), computed(t, s, o))
		}
		r := project(t, s, "sums", o, v.project)
		storetest.Fill(t, s, 60)
		last := storetest.MustAppend(t, s, "s1", fdbevents.Any, storetest.Event("type1")).Position
		awaitProjection(t, s, "sums", last)
		r.end(t)
		sameView(t, "live", readView(t, s, "sums"), computed(t, s, o))

		// A second projection beside it, and the end of the first.
		projectUntilCaughtUp(t, s, "Other", fdblayer.ProjectOptions{Generation: 7}, func(context.Context, *fdblayer.Tx, []fdbevents.Event) error { return nil })
		var all []string
		for info, err := range s.Projections(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s@%d %v %v", info.Name, info.Generation, info.Rebuilding, !info.Position.Before(last)))
		}
		if got := strings.Join(all, " "); got != "Other@7 false true sums@0 false true" {
			t.Errorf("got %s, want Other@7 false true sums@0 false true", got)
		}
		if err := s.DeleteProjection(t.Context(), "sums"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Projection(t.Context(), "sums"); !errors.Is(err, fdbevents.ErrProjectionNotFound) {
			t.Errorf("got %v, want ErrProjectionNotFound", err)
		}
		projectUntilCaughtUp(t, s, "sums", o, v.project)
		sameView(t, "after its deletion", readView(t, s, "sums"), computed(t, s, o))
	})
}

// awaitProjection waits until a projection's view has reached a position.
func awaitProjection(t testing.TB, s *fdblayer.Store, name string, at fdbevents.Position) {
	t.Helper()
	await(t, func() bool {
		info, err := s.Projection(t.Context(), name)
		if err != nil && !errors.Is(err, fdbevents.ErrProjectionNotFound) {
			t.Error(err)
		}
		return err == nil && !info.Position.Before(at)
	})
}

// TestProjectionEqualsTheLog runs a projection in the stores of two processes while
// writers append, two in five commits fail, runners stop and start again, and the view
// is rebuilt midway. In the end the view must equal the log.
func TestProjectionEqualsTheLog(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		plain := storetest.OpenStore(t, inner, fdblayer.Options{})
		var engines []*storetest.FlakyEngine
		var stores []*fdblayer.Store
		for i := range uint64(2) {
			engines = append(engines, storetest.NewFlakyEngine(inner, i, 40))
			stores = append(stores, storetest.OpenStore(t, engines[i], fdblayer.Options{}))
		}
		// place returns the newest generation and its position.
		place := func() string {
			info, err := plain.Projection(t.Context(), "sums")
			if err != nil && !errors.Is(err, fdbevents.ErrProjectionNotFound) {
				t.Error(err)
			}
			if info.Rebuilding {
				info.Position = info.NextPosition
			}
			return fmt.Sprint(max(info.Generation, info.NextGeneration), info.Position)
		}
		const writers, each, rounds = 4, 120, 6
		written := make(chan struct{}, writers*each)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(w), 1))
				for i := range each {
					var events []fdbevents.EventData
					for range 1 + rng.IntN(5) {
						events = append(events, storetest.Event(fmt.Sprint("type", rng.IntN(4))))
					}
					storetest.MustAppend(t, plain, fmt.Sprint("s", w, i%3), fdbevents.Any, events...)
					written <- struct{}{}
				}
			})
		}
		o := fdblayer.ProjectOptions{Filter: fdbevents.Filter{Query: storetest.Query(fdbevents.QueryItem{Types: []string{"type0", "type1", "type2"}})}}
		var v sums
		for round := range rounds {
			before := place()
			if round == 3 {
				o.Generation = 1
			}
			var runners []running
			for _, s := range stores {
				runners = append(runners, project(t, s, "sums", o, v.project))
			}
			for range writers * each / rounds {
				<-written
			}
			for range 2 {
				storetest.MustAppend(t, plain, "more", fdbevents.Any, storetest.Event("type0"))
				await(t, func() bool { return place() != before })
				before = place()
			}
			// The order is random, so that either may go first.
			for _, i := range rand.Perm(2) {
				runners[i].end(t)
			}
		}
		wg.Wait()
		last := storetest.MustAppend(t, plain, "more", fdbevents.Any, storetest.Event("type0")).Position
		r := project(t, stores[0], "sums", o, v.project)
		await(t, func() bool {
			info, err := plain.Projection(t.Context(), "sums")
			return err == nil && info.Generation == 1 && !info.Rebuilding && !info.Position.Before(last)
		})
		r.end(t)
		for _, e := range engines {
			if e.UnknownIn.Load() == 0 || e.Unknowns.Load() == 0 {
				t.Errorf("got %d unknown commits that happened and %d that did not, want some of both", e.UnknownIn.Load(), e.Unknowns.Load())
			}
		}
		sameView(t, "in the end", readView(t, plain, "sums"), computed(t, plain, o))
	})
}

// TestProjectionTakesOver stops the runner that makes progress. The one that stood by
// must go on.
func TestProjectionTakesOver(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		o := fdblayer.ProjectOptions{}
		runners := make(map[string]running)
		for name, s := range map[string]*fdblayer.Store{"a": a, "b": b} {
			runners[name] = project(t, s, "sums", o, func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
				tx.Data("runner").Set([]byte("name"), []byte(name))
				return sums{}.project(ctx, tx, events)
			})
		}
		for len(runners) > 0 {
			for range 20 {
				awaitProjection(t, a, "sums", storetest.MustAppend(t, a, "s", fdbevents.Any, storetest.Event("x")).Position)
			}
			active := string(dataGet(t, a, "runner", "name"))
			r, ok := runners[active]
			if !ok {
				t.Fatalf("runner %q made progress after it was stopped", active)
			}
			r.end(t)
			delete(runners, active)
		}
		sameView(t, "after both", readView(t, a, "sums"), computed(t, a, o))
	})
}

// TestProjectionRebuilds rebuilds a view while its old generation goes on, is read, and
// is replaced at last. A rebuild that was given up must resume where it was.
func TestProjectionRebuilds(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		const n = 1200
		for range n / 100 {
			var events []fdbevents.EventData
			for range 100 {
				events = append(events, storetest.Event("x"))
			}
			storetest.MustAppend(t, s, "s", fdbevents.Any, events...)
		}
		var v sums
		live := make(chan struct{}, 10)
		old := project(t, s, "sums", fdblayer.ProjectOptions{CaughtUp: func() { live <- struct{}{} }}, v.project)
		<-live

		seen := 0
		building := fdblayer.ProjectOptions{Generation: 2}
		gaveUp := errors.New("crash")
		halfWay := func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
			if seen += len(events); seen > n/2 {
				return gaveUp
			}
			return v.project(ctx, tx, events)
		}
		if err := s.Project(t.Context(), "sums", building, halfWay); !errors.Is(err, gaveUp) {
			t.Fatal(err)
		}
		info, err := s.Projection(t.Context(), "sums")
		if err != nil || info.Generation != 0 || !info.Rebuilding || info.NextGeneration != 2 || info.NextPosition == fdbevents.Start || !info.NextPosition.Before(info.Position) {
			t.Errorf("during the rebuild: got %+v, %v, want generation 0 ahead of generation 2", info, err)
		}
		awaitProjection(t, s, "sums", storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("y")).Position)
		sameView(t, "the old one", readView(t, s, "sums"), computed(t, s, building))

		again := 0
		projectUntilCaughtUp(t, s, "sums", building, func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
			again += len(events)
			return v.project(ctx, tx, events)
		})
		sameView(t, "the new one", readView(t, s, "sums"), computed(t, s, building))
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("z")) // the old one notices with its next batch
		if err := <-old.ended; !errors.Is(err, fdbevents.ErrProjectionRebuilt) {
			t.Errorf("the old generation ended with %v, want ErrProjectionRebuilt", err)
		}
		if again > n/2+500+1 {
			t.Errorf("got %d events in the resumed rebuild, want it to resume where it was", again)
		}
		for g, want := range map[int64]error{0: fdbevents.ErrProjectionRebuilt, 1: fdbevents.ErrProjectionRebuilt} {
			if err := s.Project(t.Context(), "sums", fdblayer.ProjectOptions{Generation: g}, v.project); !errors.Is(err, want) {
				t.Errorf("generation %d: got %v, want ErrProjectionRebuilt", g, err)
			}
		}
	})
}

// TestProjectionRebuildsUnderLoad checks that writers do not keep the new generation
// from catching up with the old one, and that a reader never sees the view step back.
func TestProjectionRebuildsUnderLoad(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		writing, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for w := range 3 {
			writers.Go(func() {
				for writing.Err() == nil {
					if _, err := a.Append(writing, fmt.Sprint("s", w), fdbevents.Any, storetest.Event("x")); err != nil && writing.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
		old := project(t, a, "sums", fdblayer.ProjectOptions{}, sums{}.project)
		awaitProjection(t, a, "sums", storetest.MustAppend(t, a, "s", fdbevents.Any, storetest.Event("x")).Position)
		o := fdblayer.ProjectOptions{Generation: 1}
		rebuilt := project(t, b, "sums", o, sums{}.project)
		var before fdbevents.Position
		more := 0
		await(t, func() bool {
			info, err := a.Projection(t.Context(), "sums")
			if err != nil || info.Position.Before(before) {
				t.Errorf("generation %d: got position %s, want %s or later; error %v", info.Generation, info.Position, before, err)
			}
			if before = info.Position; info.Generation == 1 {
				more++
			}
			return more == 10
		})
		if err := <-old.ended; !errors.Is(err, fdbevents.ErrProjectionRebuilt) {
			t.Errorf("the old generation ended with %v, want ErrProjectionRebuilt", err)
		}
		stop()
		writers.Wait()
		awaitProjection(t, a, "sums", storetest.MustAppend(t, a, "s", fdbevents.Any, storetest.Event("x")).Position)
		rebuilt.end(t)
		sameView(t, "in the end", readView(t, a, "sums"), computed(t, a, o))
	})
}

func TestProjectionErrors(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		at := storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("x")).Position
		own := errors.New("cannot read it")
		err := s.Project(ctx, "sums", fdblayer.ProjectOptions{}, func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
			view, err := tx.View("sums")
			if err != nil {
				return err
			}
			view.Set([]byte("k"), []byte("v"))
			return own
		})
		if want := fmt.Sprintf(`projection "sums": events at %s to %s: cannot read it`, at, at); !errors.Is(err, own) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if v := readView(t, s, "sums"); len(v) != 0 {
			t.Errorf("got view %v after a failed batch, want nothing in it", v)
		}
		nothing := func(context.Context, *fdblayer.Tx, []fdbevents.Event) error { return nil }
		var invalid *fdbevents.InvalidError
		var limit *fdbevents.LimitError
		if err := s.Project(ctx, "a\n", fdblayer.ProjectOptions{}, nothing); !errors.As(err, &invalid) {
			t.Errorf("control character: got %v, want an InvalidError", err)
		}
		if err := s.Project(ctx, "a", fdblayer.ProjectOptions{Generation: -1}, nothing); !errors.As(err, &invalid) {
			t.Errorf("negative generation: got %v, want an InvalidError", err)
		}
		if err := s.Project(ctx, strings.Repeat("a", 257), fdblayer.ProjectOptions{}, nothing); !errors.As(err, &limit) {
			t.Errorf("long name: got %v, want a LimitError", err)
		}
	})
}

func TestProjectionEndsWithItsStore(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, e storetest.EngineT) {
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		live := make(chan struct{})
		r := project(t, s, "sums", fdblayer.ProjectOptions{CaughtUp: func() { close(live) }}, sums{}.project)
		<-live
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-r.ended; !errors.Is(err, fdbevents.ErrClosed) || err.Error() != `projection "sums": store is closed` {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

// TestProjectionSplitsBatches checks that a batch too large for a transaction is split,
// and that an event too large on its own is named in the error.
func TestProjectionSplitsBatches(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		const n = 300
		for i := range n {
			storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event(fmt.Sprint(i)))
		}
		value := bytes.Repeat([]byte("v"), 90_000)
		calls := 0
		write := func(each int) handler {
			return func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
				calls++
				view, err := tx.View("large")
				if err != nil {
					return err
				}
				for _, ev := range events {
					for i := range each {
						view.Set(fmt.Appendf(nil, "%s %d", ev.Type, i%10), value)
					}
				}
				view.Add([]byte("n"), int64(len(events)))
				return nil
			}
		}
		projectUntilCaughtUp(t, s, "large", fdblayer.ProjectOptions{}, write(1))
		_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
			view, err := tx.View("large")
			if err != nil {
				return err
			}
			got, err := view.Get([]byte("n"))
			if err == nil && binary.LittleEndian.Uint64(got) != n {
				t.Errorf("got count %x, want 300", got)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if calls < 3 || calls > 30 {
			t.Errorf("got %d calls of the handler, want 3 to 30", calls)
		}
		first := storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Limit: 1}))[0].Position
		err = s.Project(t.Context(), "larger", fdblayer.ProjectOptions{}, func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
			d := tx.Data("larger")
			for i := range 120 {
				d.Set(fmt.Append(nil, i), value)
			}
			return nil
		})
		if want := fmt.Sprintf("events at %s to %s: ", first, first); !errors.Is(err, engine.ErrTransactionTooLarge) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrTransactionTooLarge with %q", err, want)
		}
	})
}

// TestProjectionOutcomeUnknown has a runner that cannot find out the outcome of a batch,
// so it must look up the position that the projection has reached.
func TestProjectionOutcomeUnknown(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		plain := storetest.OpenStore(t, inner, fdblayer.Options{})
		e := storetest.NewFlakyEngine(inner, 0, 0)
		var batches, armed, failed atomic.Int64
		e.FailNext = func(t *storetest.FlakyTransaction) error {
			// Page reads commit as well; their transactions have no size.
			if t.Size() < 100 || !armed.CompareAndSwap(1, 0) {
				return t.Transaction.Commit()
			}
			if failed.Add(1)%2 == 0 {
				if err := t.Transaction.Commit(); err != nil {
					return err
				}
			}
			return engine.ErrTimedOut
		}
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		o := fdblayer.ProjectOptions{}
		r := project(t, s, "sums", o, func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
			if batches.Add(1)%3 == 0 {
				armed.Store(1)
			}
			return sums{}.project(ctx, tx, events)
		})
		for range 30 {
			awaitProjection(t, plain, "sums", storetest.MustAppend(t, plain, "s", fdbevents.Any, storetest.Event("x")).Position)
		}
		r.end(t)
		armed.Store(0)
		if failed.Load() < 5 {
			t.Errorf("got only %d failed commits, want 5 or more", failed.Load())
		}
		sameView(t, "in the end", readView(t, plain, "sums"), computed(t, plain, o))
	})
}

// TestProjectionSplitsSlowBatches checks that a batch that fails after more than half of
// a transaction's time is split. The test takes as long as that batch.
func TestProjectionSplitsSlowBatches(t *testing.T) {
	t.Parallel()
	e := storetest.NewFlakyEngine(storetest.OpenMemory(t), 0, 0)
	var slow atomic.Bool
	e.FailNext = func(t *storetest.FlakyTransaction) error {
		if t.Size() >= 100 && slow.Swap(false) {
			return engine.ErrTooOld
		}
		return t.Transaction.Commit()
	}
	s := storetest.OpenStore(t, e, fdblayer.Options{})
	storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("x"), storetest.Event("y"))
	o := fdblayer.ProjectOptions{}
	projectUntilCaughtUp(t, s, "sums", o, func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
		if len(events) > 1 {
			<-time.After(engine.MaxTransactionAge * 6 / 10)
			slow.Store(true)
		}
		return sums{}.project(ctx, tx, events)
	})
	sameView(t, "in the end", readView(t, s, "sums"), computed(t, s, o))
}

// TestProjectionAppends checks that a handler's appends and data are part of its batch.
func TestProjectionAppends(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		s := storetest.OpenStore(t, storetest.NewFlakyEngine(inner, 3, 40), fdblayer.Options{})
		const n = 40
		for i := range n {
			storetest.MustAppend(t, s, "in", fdbevents.Any, storetest.Event(fmt.Sprint(i)))
		}
		r := project(t, s, "copy", fdblayer.ProjectOptions{Filter: fdbevents.InStreams("in")}, func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
			for _, ev := range events {
				tx.Data("copied").Add([]byte("n"), 1)
				if _, err := tx.Append("out", fdbevents.Any, fdbevents.EventData{Type: ev.Type}); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range n {
			awaitProjection(t, s, "copy", storetest.MustAppend(t, s, "in", fdbevents.Any, storetest.Event(fmt.Sprint(n+i))).Position)
		}
		r.end(t)
		for i, ev := range storetest.Collect(t, s.ReadStream(t.Context(), "out", 0, fdblayer.ReadOptions{})) {
			if ev.Type != fmt.Sprint(i) {
				t.Fatalf("event %[1]d: got type %[2]s, want %[1]d", i, ev.Type)
			}
		}
		if got := binary.LittleEndian.Uint64(dataGet(t, s, "copied", "n")); got != 2*n {
			t.Errorf("got %d events copied, want %d", got, 2*n)
		}
	})
}
