package groups_test

import (
	"context"
	"fmt"
	"maps"
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

// owners counts the partitions of each member. Free partitions count under the zero
// UUID.
func owners(i groups.Info) map[uuid.UUID]int {
	out := make(map[uuid.UUID]int)
	for _, p := range i.Partitions {
		out[p.Owner]++
	}
	return out
}

// awaitShares waits until the members hold these numbers of partitions, lowest first.
func awaitShares(t *testing.T, g *groups.Group, want ...int) {
	t.Helper()
	storetest.Eventually(t, fmt.Sprint("shares of ", want), func() bool {
		got := slices.Sorted(maps.Values(owners(storetest.GroupInfo(t, g))))
		return slices.Equal(got, want)
	})
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
			awaitShares(t, g, want...)
		}
		first := storetest.Join(t, g)
		await(8)
		// The first keeps a partition until its messages are settled.
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
		// Leases are sticky: a member that gives one up does not get another.
		for id, n := range before {
			if now := owners(storetest.GroupInfo(t, g))[id]; now > n {
				t.Errorf("member %s has %d partitions, had %d", id, now, n)
			}
		}
		// The leases of a member that leaves are taken over at once, those of a member
		// that crashes after a LeaseTime.
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

// TestGroupFencing: a member goes silent while it holds messages.
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
		// Every message that was held comes again, before the next of its stream. The
		// silent member can no longer settle it.
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

// TestGroupMemberJoinsAgain: others took the partitions of a member that was silent.
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
