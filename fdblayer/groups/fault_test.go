package groups_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/faultengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// TestGroupUnderUnknownCommits: members join, leave, crash, and settle in all ways,
// while one of four commits fails. Nothing is lost, no acknowledged message comes
// again, and each stream is in order.
func TestGroupUnderUnknownCommits(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := storetest.NewFlakyEngine(inner, 11, 25)
		s := storetest.OpenStore(t, e, fdblayer.Options{Partitions: 4})
		o := groups.Options{LeaseTime: 500 * time.Millisecond, MaxRetries: 3}
		g := storetest.NewGroup(t, s, "g", o)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		working, finish := context.WithCancel(ctx)
		defer finish()
		a := audit{t: t, acked: make(map[string]int64), next: make(map[string]int64), doubt: make(map[string]bool)}
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Go(func() {
				for life := w; working.Err() == nil; life++ {
					a.live(working, ctx, e, o, life%2 == 0)
				}
			})
		}
		const streams, each = 13, 30
		for i := range each {
			for stream := range streams {
				storetest.MustAppend(t, s, fmt.Sprint("s", stream), fdbevents.Any, storetest.Event("e"))
			}
			if i%10 == 9 {
				if _, err := g.Replay(ctx); err != nil {
					t.Error(err)
				}
			}
		}
		storetest.Eventually(t, "all to be settled", func() bool {
			if _, err := g.Replay(ctx); err != nil {
				t.Error(err)
			}
			return idle(storetest.GroupInfo(t, g))
		})
		finish()
		wg.Wait()
		for stream := range streams {
			for i := range each {
				name := fmt.Sprintf("s%d@%d", stream, i)
				if _, ok := a.acked[name]; !ok && !a.doubt[name] {
					t.Errorf("%s was not acknowledged", name)
				}
			}
		}
		t.Logf("%d acknowledged, %d in doubt, %d fenced; %d and %d commits unknown",
			len(a.acked), len(a.doubt), a.fenced, e.UnknownIn.Load(), e.Unknowns.Load())
	})
}

// TestGroupSettlementInDoubt: the engine cannot say whether a settlement was committed.
// The consumer gets an error that says so; the member finds out and goes on.
func TestGroupSettlementInDoubt(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := &doubtfulEngine{Engine: inner}
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		for _, lands := range []bool{true, false} {
			name := fmt.Sprint("lands-", lands)
			storetest.MustAppend(t, s, name, fdbevents.Any, storetest.Event("0"), storetest.Event("1"))
			m := storetest.Join(t, storetest.NewGroup(t, s, name, groups.Options{Filter: fdbevents.InStreams(name)}))
			e.lands.Store(lands)
			var msg *groups.Message
			var err error
			// A checkpoint that is written at the same moment is in doubt, too, and costs
			// the lease.
			for err = fdbevents.ErrLeaseLost; errors.Is(err, fdbevents.ErrLeaseLost); {
				msg = storetest.NextMessage(t, m)
				e.doubt.Store(true)
				err = msg.Ack(t.Context())
				e.doubt.Store(false)
			}
			if !errors.Is(err, engine.ErrTimedOut) || !errors.Is(err, fdbevents.ErrSettleUnknown) {
				t.Errorf("%s: got %v", name, err)
			}
			if again := msg.Ack(t.Context()); again == nil || again.Error() != err.Error() {
				t.Errorf("%s: the second time, got %v", name, again)
			}
			want := map[bool]int64{true: 1, false: 0}[lands]
			if msg := storetest.NextMessage(t, m); msg.Event.Revision != want || msg.Epoch < 2 {
				t.Errorf("%s: got %s in epoch %d", name, storetest.Place(&msg.Event), msg.Epoch)
			}
			m.Close()
		}
	})
}

// TestGroupSettlesAndGivesUp: a member settles and gives up the lease in one
// transaction, whose outcome is unknown. The next attempt finds that the lease is not
// the member's any more, and that the member itself gave it up.
func TestGroupSettlesAndGivesUp(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := faultengine.New(inner, faultengine.Options{Seed: 1, Rate: map[faultengine.Fault]int{faultengine.UnknownLanded: 500}})
		s := storetest.OpenStore(t, e, fdblayer.Options{Partitions: 2})
		for i := range 40 {
			storetest.MustAppend(t, s, fmt.Sprint("s", i), fdbevents.Any, storetest.Event("e"))
		}
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		gate := &gatedEngine{Engine: e}
		other := storetest.NewGroup(t, storetest.OpenStore(t, gate, fdblayer.Options{Partitions: 2}), "g", groups.Options{})
		for range 10 {
			// The first member holds a message of each partition. It gives one partition
			// up when that message is settled.
			first := storetest.Join(t, g)
			held := map[int]*groups.Message{}
			for len(held) < 2 {
				msg := storetest.NextMessage(t, first)
				if held[msg.Partition] != nil {
					storetest.Ack(t, msg)
					continue
				}
				held[msg.Partition] = msg
			}
			second := storetest.Join(t, other)
			storetest.Eventually(t, "a lease to be given up", func() bool { return first.Draining() == 1 })
			// Once the second member has taken the lease, nobody can tell whether it was
			// given up or lost, so the second waits until the first knows.
			gate.Lock()
			for _, msg := range held {
				storetest.Ack(t, msg)
			}
			gate.Unlock()
			storetest.OK(t, first.Close())
			storetest.OK(t, second.Close())
			for i := range 40 {
				storetest.MustAppend(t, s, fmt.Sprint("s", i), fdbevents.Any, storetest.Event("e"))
			}
		}
	})
}

// TestGroupParksOnce: a message is parked, but the outcome is unknown to the member, and
// the message is replayed before the next attempt. That must not park it again.
func TestGroupParksOnce(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := &onceUnknownEngine{Engine: inner}
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("e"))
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		others := storetest.NewGroup(t, storetest.OpenStore(t, inner, fdblayer.Options{}), "g", groups.Options{})
		m := storetest.Join(t, g)
		msg := storetest.NextMessage(t, m)
		replay := func() bool {
			// A heartbeat's commit may call this at the same time; only one of the two
			// calls moves the message.
			moved, _ := others.Replay(t.Context())
			return moved > 0
		}
		e.meanwhile.Store(&replay)
		storetest.OK(t, msg.Nack(t.Context(), groups.Park, "odd"))
		msg = storetest.NextMessage(t, m)
		if !msg.Replayed {
			t.Errorf("got %s, which is not the replayed one", storetest.Place(&msg.Event))
		}
		storetest.Ack(t, msg)
		if moved, err := others.Replay(t.Context()); err != nil || moved != 0 {
			t.Errorf("%d replayed after it was acknowledged, %v", moved, err)
		}
		if !idle(storetest.GroupInfo(t, g)) {
			t.Errorf("there is more to do: %+v", storetest.GroupInfo(t, g))
		}
	})
}
