package groups

import (
	"context"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/google/uuid"
)

// heartbeatLoop keeps the member alive: it writes heartbeats, removes members that are
// silent, and takes and drains leases. It is one goroutine from Join until the
// membership ends; Join itself writes the first heartbeat before the loop starts.
type heartbeatLoop struct {
	*membership
	leases *leaseSet

	// counter is the value of the last heartbeat that was tried under id; it rises with
	// each. Only the loop uses it.
	counter int64
	// joined is true when a heartbeat under id is known to be committed. Then a missing
	// key means that others took over. Only the loop uses it.
	joined bool
	// observed is what the loop saw of every live member in its last heartbeat,
	// including itself. Only the loop uses it.
	observed map[uuid.UUID]observation

	// id names the member in the store. Only the loop writes it, under mu, and may read
	// it without; others read it under mu.
	id uuid.UUID
}

// observation is what a member saw of another.
type observation struct {
	// counter is the other's heartbeat counter.
	counter int64
	// since is when this counter was first seen, by the observer's own clock.
	since time.Time
}

func newHeartbeatLoop(shared *membership, leases *leaseSet) *heartbeatLoop {
	return &heartbeatLoop{membership: shared, leases: leases, observed: make(map[uuid.UUID]observation), id: uuid.New()}
}

// run writes a heartbeat four times in a LeaseTime, and whenever the group's bell rings
// or wakeHeartbeat is sent. When the membership ends it finishes the heartbeat under
// way: if that were given up, it could still take a partition after the member has
// left.
func (h *heartbeatLoop) run(work context.Context, bell engine.Watch) {
	ticks := time.NewTicker(h.config.LeaseTime / 4)
	defer ticks.Stop()
	for {
		h.wait(bell, ticks.C)
		if h.ctx.Err() != nil {
			return
		}
		var err error
		bell, err = h.beat(work)
		switch {
		case err == nil:
			h.leases.saveCheckpoints()
		case h.ctx.Err() != nil:
			return
		case fatal(err):
			h.stop(err)
			return
		default:
			// The next heartbeat may get through. If none does, the member stops
			// delivering after a LeaseTime.
			h.trouble("heartbeat of a member of consumer group", err)
		}
	}
}

// wait waits for the bell, which may be nil, the next tick, or a signal.
func (h *heartbeatLoop) wait(bell engine.Watch, ticks <-chan time.Time) {
	ctx, cancel := context.WithCancel(h.ctx)
	var waiting sync.WaitGroup
	rung := make(chan struct{})
	if bell != nil {
		waiting.Go(func() {
			if err := bell.Wait(ctx); err != nil {
				if ctx.Err() == nil {
					h.trouble("watching consumer group", err)
				}
				// The next watch may fail at once, too.
				pause(ctx)
			}
			close(rung)
		})
	}
	select {
	case <-rung:
	case <-ticks:
	case <-h.wakeHeartbeat:
	case <-h.ctx.Done():
	}
	cancel()
	waiting.Wait()
	if bell != nil {
		bell.Cancel()
	}
}

// beat writes a heartbeat, and applies what it found. It returns a watch on the
// group's bell. One goroutine calls it at a time.
func (h *heartbeatLoop) beat(ctx context.Context) (engine.Watch, error) {
	hb, bell, err := h.write(ctx)
	if err == nil && hb.evicted {
		// Others took over. They may have left some partitions free.
		h.rejoin()
		bell.Cancel()
		hb, bell, err = h.write(ctx)
	}
	if err != nil {
		return nil, err
	}
	h.joined = true
	h.observe(hb.counters)
	h.leases.apply(hb)
	return bell, nil
}

// rejoin drops all leases, and gives the member a new id.
func (h *heartbeatLoop) rejoin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.leases.held {
		h.leases.drop(l)
	}
	h.id, h.joined, h.counter = uuid.New(), false, 0
}

// observe notes which counters have moved.
func (h *heartbeatLoop) observe(counters map[uuid.UUID]int64) {
	now := time.Now()
	for id, counter := range counters {
		if seen, ok := h.observed[id]; !ok || seen.counter != counter {
			h.observed[id] = observation{counter, now}
		}
	}
	for id := range h.observed {
		if _, ok := counters[id]; !ok {
			delete(h.observed, id)
		}
	}
}
