package groups_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// idle reports whether a group has nothing left to do.
func idle(i groups.Info) bool {
	for _, p := range i.Partitions {
		if p.Lag.N+p.Parked.N+p.Replaying.N > 0 {
			return false
		}
	}
	return true
}

// audit checks what members of a group are handed, and how settling ends.
type audit struct {
	t  testing.TB
	mu sync.Mutex
	// acked is the epoch in which each event was acknowledged.
	acked map[string]int64
	// next is the first revision of each stream that is not settled.
	next map[string]int64
	// doubt has the events whose settlement has an unknown outcome.
	doubt  map[string]bool
	fenced int
}

// live is the life of a member with five consumers. It ends after about 20 messages, by
// closing, or by a crash that leaves messages unsettled.
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
	// A member that does not know yet that it lost its lease may deliver events that
	// others have acknowledged. A member that took the lease later may not.
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
	// The next event of the stream may be delivered before the call returns.
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
			a.t.Errorf("%s was acknowledged in epoch %d and in %d", name, epoch, msg.Epoch)
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
