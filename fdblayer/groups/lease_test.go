package groups_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
)

// owners counts the partitions of each member; those that nobody has are under
// the zero UUID.
func owners(i groups.Info) map[uuid.UUID]int {
	out := make(map[uuid.UUID]int)
	for _, p := range i.Partitions {
		out[p.Owner]++
	}
	return out
}

func TestGroupRebalances(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		a, b := storetest.OpenStore(t, e, fdblayer.Options{}), storetest.OpenStore(t, e, fdblayer.Options{})
		storetest.Fill(t, a, 100)
		o := quick
		o.MessageTimeout = time.Minute
		g, h := storetest.NewGroup(t, a, "g", o), storetest.NewGroup(t, b, "g", o)
		await := func(want ...int) {
			t.Helper()
			storetest.Eventually(t, fmt.Sprint("shares of ", want), func() bool {
				got := slices.Sorted(maps.Values(owners(storetest.GroupInfo(t, g))))
				return slices.Equal(got, want)
			})
		}
		first := storetest.Join(t, g)
		await(8)
		// What the first has in work, it keeps until that is settled.
		var held []*groups.Message
		for range 10 {
			held = append(held, storetest.NextMessage(t, first))
		}
		working := make(map[int]bool)
		for _, msg := range held {
			working[msg.Partition] = true
		}
		second := storetest.Join(t, h)
		if len(working) <= 4 {
			await(4, 4)
		}
		for _, msg := range held {
			storetest.Ack(t, msg)
		}
		await(4, 4)
		third := joinAs(t, e, "g", o)
		await(2, 3, 3)
		before := owners(storetest.GroupInfo(t, g))
		fourth := joinAs(t, e, "g", o)
		await(2, 2, 2, 2)
		// Sticky: nobody who gave one up got another.
		for id, n := range before {
			if now := owners(storetest.GroupInfo(t, g))[id]; now > n {
				t.Errorf("member %s has %d partitions, had %d", id, now, n)
			}
		}
		// Whoever leaves, is taken over at once; the lease time has nothing to do
		// with it.
		second.Close()
		await(2, 3, 3)
		third.crash()
		await(4, 4)
		fourth.crash()
		await(8)
		if got := owners(storetest.GroupInfo(t, g))[first.ID()]; got != 8 {
			t.Errorf("the first member has %d partitions", got)
		}
		if i := storetest.GroupInfo(t, g); len(i.Members) != 1 {
			t.Errorf("members are %v", i.Members)
		}
		many := []*groups.Member{first}
		for i := range 9 {
			many = append(many, storetest.Join(t, []*groups.Group{g, h}[i%2]))
		}
		await(1, 1, 1, 1, 1, 1, 1, 1)
		for _, m := range many {
			m.Close()
		}
		if got := owners(storetest.GroupInfo(t, g)); got[uuid.Nil] != 8 {
			t.Errorf("in the end the owners are %v", got)
		}
	})
}

// TestGroupFencing has a member go silent with messages in its hands.
func TestGroupFencing(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		ctx := t.Context()
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		for i := range 20 {
			storetest.MustAppend(t, s, fmt.Sprint("s", i), fdbevents.Any, storetest.Event("0"), storetest.Event("1"))
		}
		g := storetest.NewGroup(t, s, "g", quick)
		silent := joinAs(t, e, "g", quick)
		held := make(map[string]*groups.Message)
		for range 20 {
			msg := storetest.NextMessage(t, silent.Member)
			held[msg.Event.Stream] = msg
		}
		kept := held["s0"]
		delete(held, "s0")
		storetest.Ack(t, kept)
		silent.gag.Silence()
		other := storetest.Join(t, g)
		// All that was held comes again, before what follows it. The word of the
		// silent member does not count any more.
		for range 39 {
			msg := storetest.NextMessage(t, other)
			if before := held[msg.Event.Stream]; before != nil && msg.Event.Revision == 0 {
				if msg.Epoch <= before.Epoch || msg.Partition != before.Partition {
					t.Errorf("%s: epoch %d after %d", storetest.Place(&msg.Event), msg.Epoch, before.Epoch)
				}
				settle := func() error { return before.Ack(ctx) }
				if len(held)%2 == 0 {
					settle = func() error { return before.Nack(ctx, groups.Park, "") }
				}
				for range 2 {
					if err := settle(); !refused(err) {
						t.Errorf("%s: got %v", storetest.Place(&msg.Event), err)
					}
				}
				delete(held, msg.Event.Stream)
			} else if msg.Event.Revision != 1 {
				t.Errorf("got %s", storetest.Place(&msg.Event))
			}
			storetest.Ack(t, msg)
		}
		if len(held) > 0 {
			t.Errorf("%d were not delivered again", len(held))
		}
		for p, err := range g.Parked(ctx) {
			t.Errorf("parked is %+v, %v", p, err)
		}
		storetest.Eventually(t, "the silent member to know", func() bool { n, _ := silent.Held(); return n == 0 })
	})
}

// TestGroupMemberJoinsAgain when others took it for dead.
func TestGroupMemberJoinsAgain(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		g := storetest.NewGroup(t, s, "g", quick)
		m := joinAs(t, e, "g", quick)
		old := m.ID()
		m.gag.Silence()
		other := storetest.Join(t, g)
		storetest.Eventually(t, "the other member to have all", func() bool { return owners(storetest.GroupInfo(t, g))[other.ID()] == 8 })
		m.gag.Speak()
		storetest.Eventually(t, "both to have half", func() bool {
			got := owners(storetest.GroupInfo(t, g))
			return got[other.ID()] == 4 && got[m.ID()] == 4
		})
		if m.ID() == old {
			t.Error("it has the same id as before")
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		for _, m := range []*groups.Member{m.Member, other} {
			wg.Go(func() {
				for msg, err := range m.Messages(ctx) {
					if err == nil {
						storetest.Ack(t, msg)
						cancel()
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestGroupMissesNothingAtTheSeam appends while the only member begins to listen.
func TestGroupMissesNothingAtTheSeam(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		for i := range 60 {
			var appending sync.WaitGroup
			appending.Go(func() { storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("e")) })
			m := storetest.Join(t, g)
			if msg := storetest.NextMessage(t, m); msg.Event.Revision != int64(i) {
				t.Fatalf("round %d: got %s", i, storetest.Place(&msg.Event))
			} else {
				storetest.Ack(t, msg)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			appending.Wait()
		}
	})
}

// TestGroupEnds is all ways in which waiting for a message ends.
func TestGroupEnds(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		m := storetest.Join(t, g)
		wait := func(ctx context.Context, m *groups.Member) chan error {
			ended := make(chan error, 1)
			go func() {
				defer close(ended)
				for _, err := range m.Messages(ctx) {
					if err != nil { // not a message
						ended <- err
					}
				}
			}()
			return ended
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := wait(ctx, m)
		own := errors.New("enough")
		cancel(own)
		if err := <-ended; !errors.Is(err, own) {
			t.Errorf("got %v, want the context's cause", err)
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"))
		msg := storetest.NextMessage(t, m)
		if err := msg.Ack(ctx); !errors.Is(err, own) {
			t.Errorf("got %v, want the context's cause", err)
		}
		if err := msg.Ack(t.Context()); err != nil {
			t.Errorf("after an Ack that did not begin: %v", err)
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("1"))
		msg = storetest.NextMessage(t, m)
		ended = wait(t.Context(), m)
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
		if err, more := <-ended; more {
			t.Errorf("got %v after Close", err)
		}
		if err := msg.Ack(t.Context()); !refused(err) {
			t.Errorf("got %v", err)
		}
		if i := storetest.GroupInfo(t, g); len(i.Members) > 0 || owners(i)[uuid.Nil] != 8 {
			t.Errorf("after Close, members are %v, owners %v", i.Members, owners(i))
		}
		// Closing the store closes members too, and they leave in order.
		m = storetest.Join(t, g)
		ended = wait(t.Context(), m)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, fdbevents.ErrClosed) {
			t.Errorf("got %v", err)
		}
		for what, call := range map[string]func() error{
			"Join":  func() error { _, err := g.Join(t.Context()); return err },
			"Group": func() error { _, err := groups.Open(t.Context(), s, "g", groups.Options{}); return err },
			"Info":  func() error { _, err := g.Info(t.Context()); return err },
		} {
			if err := call(); !errors.Is(err, fdbevents.ErrClosed) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		after := storetest.OpenStore(t, e, fdblayer.Options{})
		if i := storetest.GroupInfo(t, storetest.NewGroup(t, after, "g", groups.Options{})); len(i.Members) > 0 || owners(i)[uuid.Nil] != 8 {
			t.Errorf("after the store's Close, members are %v, owners %v", i.Members, owners(i))
		}
	})
}

// TestGroupLeavesNoGoroutines: it is not parallel, so that those of other tests
// do not count.
func TestGroupLeavesNoGoroutines(t *testing.T) {
	s := storetest.OpenStore(t, storetest.OpenMemory(t), fdblayer.Options{})
	g := storetest.NewGroup(t, s, "g", groups.Options{})
	before := runtime.NumGoroutine()
	for range 5 {
		a, b := storetest.Join(t, g), storetest.Join(t, g)
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"))
		a.Close()
		storetest.Ack(t, storetest.NextMessage(t, b))
		b.Close()
	}
	// The watcher ends on its own, after its last subscriber.
	storetest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}
