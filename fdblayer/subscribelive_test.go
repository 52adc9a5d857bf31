package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// TestSubscribersShareOneWatcher checks that the log is read once for all subscribers.
func TestSubscribersShareOneWatcher(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		const subscribers, n = 200, 50
		var live, done sync.WaitGroup
		for range subscribers {
			live.Add(1)
			o := fdblayer.SubscribeOptions{CaughtUp: sync.OnceFunc(live.Done)}
			done.Go(func() {
				next := int64(0)
				for ev, err := range s.Subscribe(t.Context(), fdbevents.End, o) {
					if err != nil || ev.Revision != next {
						t.Errorf("got revision %d, want %d: %v", ev.Revision, next, err)
						return
					}
					if next++; next == n {
						return
					}
				}
			})
		}
		live.Wait()
		if got := len(s.Subscriptions()); got != subscribers {
			t.Errorf("got %d subscriptions, want %d", got, subscribers)
		}
		before := s.Stats().Pages
		for range n {
			storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("x"))
		}
		done.Wait()
		if pages := s.Stats().Pages - before; pages >= subscribers {
			t.Errorf("got %d pages read for %d events, want fewer than there are subscribers", pages, n)
		}
	})
}

// TestSlowSubscriberFallsBehind holds a live subscription up while more is appended than
// is kept for it. It must report that, read the log, and become live again.
func TestSlowSubscriberFallsBehind(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		const n = 10
		type signal struct {
			what   string
			events int
		}
		signals := make(chan signal, 100)
		events := 0
		tell := func(what string) func() { return func() { signals <- signal{what: what, events: events} } }
		held, resume := make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			o := fdblayer.SubscribeOptions{CaughtUp: tell("caught up"), FellBehind: tell("fell behind"), Idle: tell("idle")}
			for ev, err := range s.Subscribe(ctx, fdbevents.Start, o) {
				if err != nil {
					ended <- err
					return
				}
				if ev.Revision != int64(events) {
					t.Errorf("event %[1]d: got revision %[2]d, want %[1]d", events, ev.Revision)
				}
				if events++; events == 1 {
					close(held)
					<-resume
				}
			}
		}()
		expect := func(want ...signal) {
			t.Helper()
			for _, w := range want {
				if got := <-signals; got != w {
					t.Errorf("got %v, want %v", got, w)
				}
			}
		}
		expect(signal{what: "caught up", events: 0}, signal{what: "idle", events: 0})
		first := storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("first"))
		<-held
		var last fdbevents.AppendResult
		for range n - 1 {
			last = storetest.MustAppend(t, s, "s", fdbevents.Any, fdbevents.EventData{Type: "large", Data: make([]byte, 1<<20)})
		}
		await(t, func() bool { return s.Stats().Tail == last.Position })
		st := s.Subscriptions()[0]
		if !st.Live || st.Position != first.Position || st.Waiting < 1 || st.Waiting > 5 || st.Lag <= 0 {
			t.Errorf("while it is held up: got %+v, want it live, with 1 to 5 events waiting and a lag", st)
		}
		close(resume)
		expect(signal{what: "fell behind", events: 1}, signal{what: "caught up", events: n}, signal{what: "idle", events: n})
		await(t, func() bool {
			st = s.Subscriptions()[0]
			return st.Live && st.Waiting == 0 && st.Lag == 0 && !st.Position.Before(last.Position)
		})
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("next"))
		expect(signal{what: "idle", events: n + 1})
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if st := s.Stats(); len(s.Subscriptions()) != 0 || st.Subscribers != 0 || st.Tail != fdbevents.Start {
			t.Errorf("after its end: got %+v, want no subscribers and no tail", st)
		}
	})
}

// TestCancelEndsSubscriptionsSoon checks that a cancelled subscription ends within 100 ms
// in every phase. The machine may be slow, too, so the best of a few attempts counts.
func TestCancelEndsSubscriptionsSoon(t *testing.T) {
	const soon, attempts = 100 * time.Millisecond, 10
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		var pending []*fdblayer.PendingAppend
		for i := range 100 {
			var events []fdbevents.EventData
			for range 100 {
				events = append(events, fdbevents.EventData{Type: "old", Data: make([]byte, 200)})
			}
			p, err := s.AppendAsync(t.Context(), fmt.Sprint("s", i%10), fdbevents.Any, events...)
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, p)
		}
		for _, p := range pending {
			if _, err := p.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		writing, stopWriting := context.WithCancel(t.Context())
		var load atomic.Bool
		var writer sync.WaitGroup
		writer.Go(func() {
			more := time.NewTicker(time.Millisecond)
			defer more.Stop()
			for writing.Err() == nil {
				<-more.C
				if load.Load() {
					if _, err := s.Append(writing, "load", fdbevents.Any, storetest.Event("new")); err != nil && writing.Err() == nil {
						t.Error(err)
					}
				}
			}
		})
		defer writer.Wait()
		defer stopWriting()
		for _, phase := range []struct {
			name  string
			after fdbevents.Position
			load  bool
			// when reports, after an event or when idle, whether it is time to cancel.
			when func(events int, idle bool) bool
			// slow is how long the consumer takes for an event.
			slow time.Duration
		}{
			{"catching up", fdbevents.Start, false, func(events int, _ bool) bool { return events == 1500 }, 0},
			{"catching up, slow consumer", fdbevents.Start, false, func(events int, _ bool) bool { return events == 2 }, 2 * time.Millisecond},
			{"live and idle", fdbevents.End, false, func(_ int, idle bool) bool { return idle }, 0},
			{"live under load", fdbevents.End, true, func(events int, _ bool) bool { return events == 20 }, 0},
		} {
			best := time.Hour
			for i := 0; i < attempts && best > soon; i++ {
				load.Store(phase.load)
				best = min(best, timeToEnd(t, s, phase.after, phase.when, phase.slow))
			}
			if best > soon {
				t.Errorf("%s: took %s to end, want 100 ms at most", phase.name, best)
			}
		}
	})
}

// timeToEnd cancels a subscription from another goroutine when it is time to, and
// returns how long it then took to end.
func timeToEnd(t *testing.T, s *fdblayer.Store, after fdbevents.Position, when func(events int, idle bool) bool, slow time.Duration) time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	now := make(chan struct{})
	ripe := sync.OnceFunc(func() { close(now) })
	var cancelled time.Time
	var canceller sync.WaitGroup
	canceller.Go(func() {
		<-now
		cancelled = time.Now()
		cancel()
	})
	events := 0
	o := fdblayer.SubscribeOptions{Idle: func() {
		if when(events, true) {
			ripe()
		}
	}}
	for _, err := range s.Subscribe(ctx, after, o) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			break
		}
		if events++; when(events, false) {
			ripe()
		}
		if slow > 0 {
			<-time.After(slow) // the consumer's work
		}
	}
	ended := time.Now()
	ripe()
	canceller.Wait()
	return ended.Sub(cancelled)
}
