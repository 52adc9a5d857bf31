package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// followed is a subscription whose events are collected in the background. caughtUp is
// closed when it first begins to wait; result yields all events once n have come.
type followed struct {
	caughtUp chan struct{}
	result   chan []fdbevents.Event
}

func follow(t *testing.T, n int, subscribe func(ctx context.Context, caughtUp func()) func(func(fdbevents.Event, error) bool)) *followed {
	f := &followed{caughtUp: make(chan struct{}), result: make(chan []fdbevents.Event, 1)}
	var once sync.Once
	events := subscribe(t.Context(), func() { once.Do(func() { close(f.caughtUp) }) })
	go func() {
		var got []fdbevents.Event
		defer func() { f.result <- got }()
		for ev, err := range events {
			if err != nil {
				t.Errorf("after %d events: got %v", len(got), err)
				return
			}
			if got = append(got, ev); len(got) == n {
				return
			}
		}
	}()
	return f
}

func TestSubscribeCatchesUpThenFollows(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		want := storetest.Fill(t, a, 300)
		all := storetest.Collect(t, a.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))
		const live = 200
		total := len(all) + live
		subscribe := func(s *fdblayer.Store, after fdbevents.Position, n int) *followed {
			return follow(t, n, func(ctx context.Context, caughtUp func()) func(func(fdbevents.Event, error) bool) {
				return s.Subscribe(ctx, after, fdblayer.SubscribeOptions{CaughtUp: caughtUp})
			})
		}
		subs := []*followed{
			subscribe(a, fdbevents.Start, total),
			subscribe(b, fdbevents.Start, total),
			subscribe(a, all[99].Position, total-100),
			subscribe(a, all[len(all)-1].Position, live),
			subscribe(b, fdbevents.End, live),
		}
		<-subs[3].caughtUp
		<-subs[4].caughtUp // the others may be anywhere in the log
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range live / 4 {
					storetest.MustAppend(t, []*fdblayer.Store{a, b}[w%2], fmt.Sprint("live", w), fdbevents.Any, storetest.Event(fmt.Sprint(i)))
				}
			})
		}
		wg.Wait()
		all = storetest.Collect(t, b.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))
		if len(all) != total {
			t.Fatalf("got %d events, want %d", len(all), total)
		}
		same(t, "old events", all[:len(want)], want)
		for i, sub := range subs {
			got := <-sub.result
			rest := all[len(all)-len(got):]
			if want := []int{total, total, total - 100, live, live}[i]; len(got) != want {
				t.Errorf("subscription %d: got %d events, want %d", i, len(got), want)
			}
			for j := range got {
				if got[j].Position != rest[j].Position {
					t.Fatalf("subscription %d, event %d: got position %s, want %s as in the log", i, j, got[j].Position, rest[j].Position)
				}
			}
		}
	})
}

func TestSubscribeStream(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		subscribe := func(stream string, after int64, n int) *followed {
			return follow(t, n, func(ctx context.Context, caughtUp func()) func(func(fdbevents.Event, error) bool) {
				return s.SubscribeStream(ctx, stream, after, fdblayer.SubscribeOptions{CaughtUp: caughtUp})
			})
		}
		for range 10 {
			storetest.MustAppend(t, s, "a", fdbevents.Any, storetest.Event("old"))
		}
		subs := []*followed{
			subscribe("a", -1, 30), subscribe("a", 4, 25), subscribe("a", fdbevents.StreamEnd, 20), subscribe("new", -1, 20),
			subscribe("a", 14, 15), subscribe("new", 4, 15), // from revisions that the stream has not reached yet
		}
		<-subs[2].caughtUp
		<-subs[4].caughtUp
		<-subs[5].caughtUp
		for range 20 {
			storetest.MustAppend(t, s, "a", fdbevents.Any, storetest.Event("live"))
			storetest.MustAppend(t, s, "new", fdbevents.Any, storetest.Event("live"))
		}
		for i, first := range []int64{0, 5, 10, 0, 15, 5} {
			for j, ev := range <-subs[i].result {
				if ev.Revision != first+int64(j) {
					t.Fatalf("subscription %d, event %d: got revision %d", i, j, ev.Revision)
				}
			}
		}
	})
}

func TestSubscribeFilters(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		o := fdblayer.SubscribeOptions{Filter: fdbevents.Filter{StreamPrefixes: []string{"order-"}, Query: storetest.Query(fdbevents.QueryItem{Types: []string{"paid"}, Tags: []string{"vip"}})}}
		write := func() {
			storetest.MustAppend(t, s, "order-1", fdbevents.Any, storetest.Tagged("paid", "vip"), storetest.Tagged("paid"), storetest.Tagged("placed", "vip"))
			storetest.MustAppend(t, s, "stock-1", fdbevents.Any, storetest.Tagged("paid", "vip"))
		}
		write()
		sub := follow(t, 3, func(ctx context.Context, caughtUp func()) func(func(fdbevents.Event, error) bool) {
			o.CaughtUp = caughtUp
			return s.Subscribe(ctx, fdbevents.Start, o)
		})
		<-sub.caughtUp
		write()
		write()
		for i, ev := range <-sub.result {
			if ev.Stream != "order-1" || ev.Revision != int64(3*i) {
				t.Errorf("event %d: got %s@%d, want every third event of order-1", i, ev.Stream, ev.Revision)
			}
		}
	})
}

// TestSlowSubscriberMissesNothing holds a subscription up for longer than its
// buffer lasts.
func TestSlowSubscriberMissesNothing(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		const n = 600
		started, resume := make(chan struct{}), make(chan struct{})
		done := make(chan []int64, 1)
		go func() {
			var got []int64
			defer func() { done <- got }()
			for ev, err := range s.SubscribeStream(t.Context(), "s", -1, fdblayer.SubscribeOptions{}) {
				if err != nil {
					t.Error(err)
					return
				}
				if got = append(got, ev.Revision); len(got) == 1 {
					close(started)
					<-resume
				}
				if len(got) == n {
					return
				}
			}
		}()
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("first"))
		<-started
		for range n - 1 {
			storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("e"))
		}
		close(resume)
		got := <-done
		for i, revision := range got {
			if revision != int64(i) {
				t.Fatalf("event %[1]d: got revision %[2]d, want %[1]d", i, revision)
			}
		}
		if len(got) != n {
			t.Errorf("got %d events, want %d", len(got), n)
		}
	})
}

func TestSubscriptionEnds(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, e storetest.EngineT) {
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		run := func(ctx context.Context) (caughtUp chan struct{}, ended chan error) {
			caughtUp, ended = make(chan struct{}), make(chan error, 1)
			go func() {
				for _, err := range s.Subscribe(ctx, fdbevents.Start, fdblayer.SubscribeOptions{CaughtUp: func() { close(caughtUp) }}) {
					ended <- err
				}
			}()
			return caughtUp, ended
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		caughtUp, ended := run(ctx)
		<-caughtUp
		if n := s.Stats().Subscribers; n != 1 {
			t.Errorf("got %d subscribers, want 1", n)
		}
		own := errors.New("enough")
		cancel(own)
		if err := <-ended; err != own {
			t.Errorf("got %v, want the context's cause", err)
		}
		caughtUp, ended = run(t.Context())
		<-caughtUp
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, fdbevents.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}
