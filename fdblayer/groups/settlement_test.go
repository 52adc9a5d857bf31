package groups_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// expectMessage takes the next message, which must be this attempt at this event.
func expectMessage(t *testing.T, m *groups.Member, revision int64, attempt int, replayed bool) *groups.Message {
	t.Helper()
	msg := storetest.NextMessage(t, m)
	if msg.Event.Revision != revision || msg.Attempt != attempt || msg.Replayed != replayed {
		t.Fatalf("got %s, attempt %d, replayed %v; want revision %d, attempt %d, %v", storetest.Place(&msg.Event), msg.Attempt, msg.Replayed, revision, attempt, replayed)
	}
	return msg
}

// TestGroupSettles settles the messages of one stream in all ways, and replays them.
func TestGroupSettles(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 2}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"), storetest.Event("1"), storetest.Event("2"), storetest.Event("3"), storetest.Event("4"))
		g := storetest.NewGroup(t, s, "g", groups.Options{MaxRetries: 2})
		m := storetest.Join(t, g)
		expect := func(revision int64, attempt int, replayed bool) *groups.Message {
			t.Helper()
			return expectMessage(t, m, revision, attempt, replayed)
		}
		begin := time.Now()
		msg := expect(0, 1, false)
		if err := msg.Nack(ctx, 0, ""); err == nil || !strings.Contains(err.Error(), `nack action "0": want Retry, Park or Skip`) {
			t.Errorf("got %v", err)
		}
		storetest.Nack(t, msg, groups.Retry, "busy")
		storetest.Nack(t, expect(0, 2, false), groups.Retry, "still busy")
		storetest.Ack(t, expect(0, 3, false))
		if took := time.Since(begin); took < 300*time.Millisecond {
			t.Errorf("two retries after %v", took)
		}
		storetest.Nack(t, expect(1, 1, false), groups.Park, "no such customer "+strings.Repeat("ü", fdbevents.MaxReason))
		storetest.Nack(t, expect(2, 1, false), groups.Skip, "")
		for attempt := 1; attempt <= 3; attempt++ {
			storetest.Nack(t, expect(3, attempt, false), groups.Retry, "never works")
		}
		msg = expect(4, 1, false)
		for _, again := range []func() error{func() error { return msg.Ack(ctx) }, func() error { return msg.Nack(ctx, groups.Park, "") }} {
			ack := msg.Ack(ctx)
			err := again()
			if !errors.Is(err, fdbevents.ErrSettled) || err.Error() != fmt.Sprintf(`settling message at position %s of consumer group "g": message is already settled; ack or nack each message only once`, msg.Event.Position) {
				t.Errorf("after %v: got %v", ack, err)
			}
		}
		var parked []string
		for p, err := range g.Parked(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			parked = append(parked, fmt.Sprint(storetest.Place(&p.Event), " ", p.Attempts, " ", p.Reason[:min(16, len(p.Reason))]))
			if len(p.Reason) > fdbevents.MaxReason || !utf8.ValidString(p.Reason) || p.Time.Before(begin.Add(-time.Second)) {
				t.Errorf("got %+v", p)
			}
		}
		if want := []string{"s@1 1 no such customer", "s@3 3 failed 3 times: "}; !slices.Equal(parked, want) {
			t.Errorf("parked are %q", parked)
		}
		i := storetest.GroupInfo(t, g)
		if i.Parked().N != 2 || i.Lag().N != 0 {
			t.Errorf("parked %v, lag %v", i.Parked(), i.Lag())
		}
		if n, err := g.Replay(ctx); n != 2 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		if n, err := g.Replay(ctx); n != 0 || err != nil {
			t.Errorf("replayed %d again, %v", n, err)
		}
		storetest.Nack(t, expect(1, 1, true), groups.Retry, "")
		storetest.Ack(t, expect(1, 2, true))
		storetest.Nack(t, expect(3, 1, true), groups.Park, "again")
		if n, err := g.Replay(ctx); n != 1 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		storetest.Ack(t, expect(3, 1, true))
		if i = storetest.GroupInfo(t, g); i.Parked().N != 0 || i.Lag().N != 0 {
			t.Errorf("parked %v, lag %v", i.Parked(), i.Lag())
		}
	})
}

// TestGroupReplaysMany replays more messages than a read loop reads at a time, by
// another member. Each event is in a stream of its own.
func TestGroupReplaysMany(t *testing.T) {
	storetest.EachHealthyStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		ctx := t.Context()
		const n = 700
		var appends []fdbevents.StreamAppend
		for i := range n {
			appends = append(appends, storetest.AppendTo(fmt.Sprint("s", i), storetest.Event("e")))
		}
		if _, err := a.AppendMany(ctx, appends...); err != nil {
			t.Fatal(err)
		}
		g := storetest.NewGroup(t, a, "g", groups.Options{})
		work := func(m *groups.Member, replayed bool, settle func(*groups.Message) error) {
			t.Helper()
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var left atomic.Int64
			left.Store(n)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for msg, err := range m.Messages(ctx) {
						if err != nil {
							return
						}
						if msg.Replayed != replayed {
							t.Errorf("%s: replayed is %v", storetest.Place(&msg.Event), msg.Replayed)
						}
						if err := settle(msg); err != nil {
							t.Error(err)
						}
						if left.Add(-1) == 0 {
							cancel()
						}
					}
				})
			}
			wg.Wait()
			m.Close()
		}
		work(storetest.Join(t, g), false, func(msg *groups.Message) error { return msg.Nack(ctx, groups.Park, "later") })
		m := storetest.Join(t, storetest.NewGroup(t, b, "g", groups.Options{}))
		if moved, err := g.Replay(ctx); moved != n || err != nil {
			t.Fatalf("replayed %d, %v", moved, err)
		}
		work(m, true, func(msg *groups.Message) error { return msg.Ack(ctx) })
		for p, err := range g.Parked(ctx) {
			t.Errorf("parked is %+v, %v", p, err)
		}
		for p, x := range storetest.GroupInfo(t, g).Partitions {
			if x.Replaying.N > 0 {
				t.Errorf("partition %d: %v to be replayed", p, x.Replaying)
			}
		}
	})
}

func TestGroupMessageTimeout(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"), storetest.Event("1"))
		g := storetest.NewGroup(t, s, "g", groups.Options{MessageTimeout: 50 * time.Millisecond, MaxRetries: 1})
		m := storetest.Join(t, g)
		late := storetest.NextMessage(t, m)
		again := storetest.NextMessage(t, m)
		if storetest.Place(&again.Event) != "s@0" || again.Attempt != 2 {
			t.Errorf("got %s, attempt %d", storetest.Place(&again.Event), again.Attempt)
		}
		if err := late.Ack(t.Context()); !errors.Is(err, fdbevents.ErrMessageTimeout) {
			t.Errorf("got %v", err)
		}
		if msg := storetest.NextMessage(t, m); storetest.Place(&msg.Event) != "s@1" {
			t.Errorf("got %s", storetest.Place(&msg.Event))
		} else {
			storetest.Ack(t, msg)
		}
		if err := again.Nack(t.Context(), groups.Retry, ""); !errors.Is(err, fdbevents.ErrMessageTimeout) {
			t.Errorf("got %v", err)
		}
		for p, err := range g.Parked(t.Context()) {
			if err != nil || storetest.Place(&p.Event) != "s@0" || p.Attempts != 2 || p.Reason != "failed 2 times: not settled within 50ms" {
				t.Errorf("parked is %+v, %v", p, err)
			}
		}
	})
}

// TestGroupCheckpointPassesWhatIsNotSelected: the checkpoint moves over events that the
// group does not select, so that a new member does not read them again.
func TestGroupCheckpointPassesWhatIsNotSelected(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		g := storetest.NewGroup(t, s, "g", groups.Options{Filter: fdbevents.InStreams("mine"), LeaseTime: quick.LeaseTime})
		storetest.Join(t, g)
		last := storetest.MustAppend(t, s, "other", fdbevents.Any, storetest.Event("0"), storetest.Event("1"))
		storetest.Eventually(t, "the checkpoint to move", func() bool { return !storetest.GroupInfo(t, g).Partitions[0].Checkpoint.Before(last.Position) })
	})
}

// TestGroupStuckStream holds one stream up, until the others may not run ahead further.
func TestGroupStuckStream(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		storetest.MustAppend(t, s, "stuck", fdbevents.Any, storetest.Event("0"), storetest.Event("1"))
		for i := range 50 {
			events := make([]fdbevents.EventData, 60)
			for j := range events {
				events[j] = storetest.Event("e")
			}
			storetest.MustAppend(t, s, fmt.Sprint("s", i), fdbevents.Any, events...)
		}
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		m := storetest.Join(t, g)
		stuck := storetest.NextMessage(t, m)
		if storetest.Place(&stuck.Event) != "stuck@0" {
			t.Fatalf("got %s", storetest.Place(&stuck.Event))
		}
		ctx, done := context.WithCancel(t.Context())
		defer done()
		var wg sync.WaitGroup
		var freed atomic.Bool
		var settled atomic.Int64
		for range 50 {
			wg.Go(func() {
				for msg, err := range m.Messages(ctx) {
					if err != nil {
						return
					}
					if msg.Event.Stream == "stuck" && !freed.Load() {
						t.Errorf("%s overtakes", storetest.Place(&msg.Event))
					}
					storetest.Ack(t, msg)
					if settled.Add(1) == 3001 {
						done()
					}
				}
			})
		}
		var ahead int
		storetest.Eventually(t, "the others to run ahead", func() bool {
			_, known := m.Held()
			ahead = storetest.GroupInfo(t, g).Partitions[0].Ahead
			return ahead >= 1024 && known == 2
		})
		if ahead > 2500 || settled.Load() == 3000 {
			t.Errorf("%d events are settled ahead of the checkpoint", ahead)
		}
		freed.Store(true)
		storetest.Ack(t, stuck)
		wg.Wait()
		if x := storetest.GroupInfo(t, g).Partitions[0]; x.Ahead != 0 || x.Lag.N != 0 {
			t.Errorf("in the end %+v", x)
		}
	})
}

// TestGroupLag: the lag is counted up to a bound.
func TestGroupLag(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		all, some := storetest.NewGroup(t, s, "all", groups.Options{}), storetest.NewGroup(t, s, "some", groups.Options{Filter: fdbevents.InStreams("s3")})
		events := make([]fdbevents.EventData, 2000)
		for i := range events {
			events[i] = storetest.Event("e")
		}
		for i := range 6 {
			if i == 5 {
				for _, want := range []string{"10000", "2000"} {
					i := storetest.GroupInfo(t, map[string]*groups.Group{"10000": all, "2000": some}[want])
					if got := i.Lag().String(); got != want {
						t.Errorf("lag %s, want %s", got, want)
					}
				}
			}
			storetest.MustAppend(t, s, fmt.Sprint("s", i), fdbevents.Any, events...)
		}
		for _, want := range []string{"10000+", "2000+"} {
			i := storetest.GroupInfo(t, map[string]*groups.Group{"10000+": all, "2000+": some}[want])
			if got := i.Lag().String(); got != want {
				t.Errorf("lag %s, want %s", got, want)
			}
		}
	})
}
