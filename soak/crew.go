package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// witness hears what the store tells the crew. It is the checker, or in a child process
// a pipe to it.
type witness interface {
	// sent: events may be in the store from now on.
	sent(writer uint32, ordered bool, through uint32)
	appended(r report)
	// refused: an event is not in the store and never will be.
	refused(id ident)
	// lost: a claim was refused because of the event at that position.
	lost(number uint64, winner fdbevents.Position)
	// note: a member of the consumer group was handed an event, or settled it.
	note(h handing)
	wrong(d defect, text string)
}

// crew is everybody who works on a site, such as writers and members of groups.
type crew struct {
	site    *site
	seed    uint64
	witness witness
	// stopping ends when all should finish their work.
	stopping context.Context
	halt     context.CancelFunc
	working  sync.WaitGroup
	// claim is the number to win next.
	claim claims

	mu sync.Mutex
	// busy counts those who have not ended yet, by name.
	busy map[string]int
}

func newCrew(s *site, seed uint64, w witness) *crew {
	c := &crew{site: s, seed: seed, witness: w, busy: make(map[string]int)}
	c.stopping, c.halt = context.WithCancel(context.Background())
	return c
}

func (c *crew) stopped() bool { return c.stopping.Err() != nil }

// until returns a context that ends with ctx, or when the crew should stop.
func (c *crew) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(c.stopping, cancel)
	return ctx, func() { forget(); cancel() }
}

// hire repeats work in a goroutine until the crew is stopped. An error that faults do
// not explain ends it and is a defect.
func (c *crew) hire(ctx context.Context, name string, work func(ctx context.Context) error) {
	c.count(name, 1)
	c.working.Go(func() {
		defer c.count(name, -1)
		for !c.stopped() && ctx.Err() == nil {
			if err := work(ctx); err != nil {
				if ctx.Err() == nil {
					c.witness.wrong(refusals, fmt.Sprintf("%s: %v", name, err))
				}
				return
			}
		}
	})
}

func (c *crew) count(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[name] += n; c.busy[name] == 0 {
		delete(c.busy, name)
	}
}

// stop waits until all have finished their work. If that takes too long, it calls
// giveUp, which must end their contexts, and returns an error.
func (c *crew) stop(giveUp func()) (err error) {
	c.halt()
	late := make(chan error, 1)
	timer := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		late <- fmt.Errorf("%d had not ended after %v: %.10q", len(c.busy), patience, slices.Sorted(maps.Keys(c.busy)))
		giveUp()
	})
	c.working.Wait()
	if !timer.Stop() {
		err = <-late
	}
	return err
}

// do repeats op, on one store after another, until it succeeds or fails with an error
// that is not transient. It returns how often the outcome was unknown, and how often
// op was tried again.
func (c *crew) do(ctx context.Context, slot int, op func(s *fdblayer.Store) error) (unknown, again int, err error) {
	for {
		s, err := c.site.store(ctx, slot)
		if err != nil {
			return unknown, again, err
		}
		if err = op(s); err == nil || !transient(err) || ctx.Err() != nil {
			return unknown, again, err
		}
		if isUnknown(err) {
			unknown++
		}
		again++
	}
}

// seldom adds a pause after work. Work that needs its own transactions, or conflicts
// with others, should not take the machine from writers who share transactions.
func seldom(work func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		err := work(ctx)
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
		return err
	}
}
