package groups_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/faultengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// TestGroupUnderUnknownCommits has members come, go and crash, and settle in all
// ways, while one of four commits fails: nothing is lost, nothing that was
// acknowledged comes again, and each stream is in order.
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

// idle is whether a group has nothing left to do.
func idle(i groups.Info) bool {
	for _, p := range i.Partitions {
		if p.Lag.N+p.Parked.N+p.Replaying.N > 0 {
			return false
		}
	}
	return true
}

// audit verifies what members of a group are handed, and what they are told.
type audit struct {
	t  testing.TB
	mu sync.Mutex
	// acked is the epoch in which each event was acknowledged.
	acked map[string]int64
	// next is the first revision of each stream that was not settled.
	next map[string]int64
	// doubt are the events of which that is not known.
	doubt  map[string]bool
	fenced int
}

// live is the life of a member with five consumers. It ends after a while, in
// order or in a crash with messages in its hands.
func (a *audit) live(working, ctx context.Context, e engine.Engine, o groups.Options, crash bool) {
	p, err := startProcess(ctx, e, "g", o)
	if err != nil {
		a.t.Error(err)
		return
	}
	life, end := context.WithCancel(working)
	defer end()
	var handled atomic.Int64
	var consumers sync.WaitGroup
	for range 5 {
		consumers.Go(func() {
			for msg, err := range p.Messages(life) {
				if err != nil {
					return
				}
				a.delivered(msg)
				n := handled.Add(1)
				if n > 20 {
					end()
				}
				if n <= 20 || !crash {
					a.settle(ctx, msg)
				}
			}
		})
	}
	consumers.Wait()
	if crash {
		p.crash()
		return
	}
	p.Close()
	p.store.Close()
}

func (a *audit) delivered(msg *groups.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := storetest.Place(&msg.Event)
	// A member that does not know yet that it lost its lease may deliver what
	// others have acknowledged, but not one that got the lease afterwards.
	if epoch, ok := a.acked[name]; ok && msg.Epoch > epoch {
		a.t.Errorf("%s was acknowledged in epoch %d and comes again in %d", name, epoch, msg.Epoch)
	}
	if next := a.next[msg.Event.Stream]; msg.Event.Revision > next {
		a.t.Errorf("%s comes before revision %d is settled", name, next)
	}
}

func (a *audit) settle(ctx context.Context, msg *groups.Message) {
	name := storetest.Place(&msg.Event)
	how, call := "ack", func() error { return msg.Ack(ctx) }
	switch {
	case msg.Event.Revision%5 == 3 && !msg.Replayed:
		how, call = "park", func() error { return msg.Nack(ctx, groups.Park, "odd") }
	case msg.Event.Revision%7 == 2 && msg.Attempt == 1:
		how, call = "retry", func() error { return msg.Nack(ctx, groups.Retry, "once more") }
	}
	// What follows may be delivered before the call returns.
	a.mu.Lock()
	before := a.next[msg.Event.Stream]
	if how != "retry" {
		a.next[msg.Event.Stream] = max(before, msg.Event.Revision+1)
	}
	a.mu.Unlock()
	err := call()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil && how == "ack":
		if epoch, ok := a.acked[name]; ok {
			a.t.Errorf("%s is acknowledged in epoch %d and in %d", name, epoch, msg.Epoch)
		}
		a.acked[name] = msg.Epoch
	case errors.Is(err, fdbevents.ErrLeaseLost):
		a.fenced++
		if a.next[msg.Event.Stream] == msg.Event.Revision+1 {
			a.next[msg.Event.Stream] = before
		}
	case errors.Is(err, fdbevents.ErrSettleUnknown):
		a.doubt[name] = true
	case err != nil:
		a.t.Errorf("%s: %v", name, err)
	}
}

// doubtfulEngine can say of no commit whether it happened, while it is told to.
type doubtfulEngine struct {
	engine.Engine
	// doubt is on when positive; lands says whether commits happen then.
	doubt, lands atomic.Bool
}

type doubtfulTransaction struct {
	engine.Transaction
	engine *doubtfulEngine
}

func (e *doubtfulEngine) Begin(ctx context.Context) engine.Transaction {
	return &doubtfulTransaction{Transaction: e.Engine.Begin(ctx), engine: e}
}

func (t *doubtfulTransaction) Commit() error {
	if !t.engine.doubt.Load() {
		return t.Transaction.Commit()
	}
	if t.engine.lands.Load() {
		if err := t.Transaction.Commit(); err != nil {
			return err
		}
	}
	return engine.ErrTimedOut
}

// TestGroupSettlementInDoubt: the engine cannot say whether a settlement is in.
// The consumer is told so; the member finds out and goes on.
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
			// A checkpoint that moves in just this moment is in doubt, too, and
			// costs the lease.
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

// TestGroupSettlesAndGivesUp in one transaction, the outcome of which is unknown:
// looking again, the member finds that the lease is not its own any more, and that
// this was its own doing.
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
			// With a message of both partitions in its hands, the first gives one of
			// them up when that is settled.
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
			// Once the second has taken the lease, nobody can tell whether it was given
			// up or lost: it waits until the first knows.
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

// gatedEngine begins no transaction while it is locked.
type gatedEngine struct {
	engine.Engine
	sync.RWMutex
}

func (g *gatedEngine) Begin(ctx context.Context) engine.Transaction {
	g.RLock()
	defer g.RUnlock()
	return g.Engine.Begin(ctx)
}

// onceUnknownEngine lets commits happen, and says of the first after which meanwhile
// is true that nobody knows whether it did.
type onceUnknownEngine struct {
	engine.Engine
	meanwhile atomic.Pointer[func() bool]
}

type onceUnknownTransaction struct {
	engine.Transaction
	ctx    context.Context
	engine *onceUnknownEngine
}

func (e *onceUnknownEngine) Begin(ctx context.Context) engine.Transaction {
	return &onceUnknownTransaction{Transaction: e.Engine.Begin(ctx), ctx: ctx, engine: e}
}

// OnError takes a new transaction after the commit that was said to be unknown: to the
// engine it has succeeded.
func (t *onceUnknownTransaction) OnError(err error) error {
	if !engine.MaybeCommitted(err) {
		return t.Transaction.OnError(err)
	}
	t.Cancel()
	t.Transaction = t.engine.Engine.Begin(t.ctx)
	return nil
}

func (t *onceUnknownTransaction) Commit() error {
	err := t.Transaction.Commit()
	if call := t.engine.meanwhile.Load(); call != nil && err == nil && (*call)() {
		t.engine.meanwhile.Store(nil)
		return engine.ErrCommitUnknown
	}
	return err
}

// TestGroupParksOnce: a message is parked, the member is not told, and before it looks
// again the message is replayed. It must not be parked once more beside that.
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
			// A heartbeat may be here at the same time; one of the two moves it.
			moved, _ := others.Replay(t.Context())
			return moved > 0
		}
		e.meanwhile.Store(&replay)
		storetest.OK(t, msg.Nack(t.Context(), groups.Park, "odd"))
		msg = storetest.NextMessage(t, m)
		if !msg.Replayed {
			t.Errorf("got %s, and it is not the replayed one", storetest.Place(&msg.Event))
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
