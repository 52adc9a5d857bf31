package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/engine/faultengine"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// site is the stores of one process, all on one engine. They are closed and opened
// again while they are in use.
type site struct {
	url    string
	faults bool

	mu     sync.Mutex
	rng    *rand.Rand
	engine engine.Engine
	slots  []*slot
	// quiet is true once there should be no more faults.
	quiet bool
	// changed is closed, and replaced, when a store has been opened.
	changed chan struct{}

	restarts, reopened, injected atomic.Int64
}

// slot is the place of one store, which is nil while it is being opened again.
type slot struct {
	store *fdblayer.Store
	fault *faultengine.Engine
}

func openSite(ctx context.Context, url string, stores int, seed uint64, faults bool) (*site, error) {
	s := &site{url: url, faults: faults, rng: rand.New(rand.NewPCG(seed, 1)), changed: make(chan struct{})}
	for range stores {
		s.slots = append(s.slots, &slot{})
	}
	if err := s.openAll(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *site) openAll(ctx context.Context) error {
	e, err := engines.Open(ctx, s.url)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.engine = e
	s.mu.Unlock()
	for i := range s.slots {
		if err := s.open(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// open opens a store, with a new random choice of faults.
func (s *site) open(ctx context.Context, i int) error {
	s.mu.Lock()
	rates := faultengine.Hidden()
	if s.rng.IntN(3) == 0 {
		rates = faultengine.All()
	}
	if !s.faults {
		rates = nil
	}
	// Faults come a fifth as often as in tests of single features, so that much also
	// gets done under load.
	for f := range rates {
		rates[f] = (rates[f] + 4) / 5
	}
	f := faultengine.New(s.engine, faultengine.Options{Seed: s.rng.Uint64(), Rate: rates})
	f.Quiet(s.quiet)
	s.mu.Unlock()
	store, err := fdblayer.Open(ctx, f, fdblayer.Options{})
	for err != nil && ctx.Err() == nil && transient(err) {
		store, err = fdblayer.Open(ctx, f, fdblayer.Options{})
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.slots[i] = slot{store, f}
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// shut closes a store, and waits until none of its work is under way.
func (s *site) shut(i int) error {
	s.mu.Lock()
	old := *s.slots[i]
	*s.slots[i] = slot{}
	s.mu.Unlock()
	if old.store == nil {
		return nil
	}
	err := old.store.Close()
	if err != nil && transient(err) {
		err = nil // other stores will clean up what this one could not
	}
	old.fault.Quiet(true)
	for f := range faultengine.All() {
		s.injected.Add(old.fault.Count(f))
	}
	return err
}

// restart closes a store and opens it again.
func (s *site) restart(ctx context.Context, i int) error {
	if err := s.shut(i); err != nil {
		return fmt.Errorf("closing a store: %w", err)
	}
	s.restarts.Add(1)
	return s.open(ctx, i)
}

// reopen closes all stores and the engine, and opens them again after a while.
func (s *site) reopen(ctx context.Context, pause time.Duration) error {
	if err := s.close(); err != nil {
		return fmt.Errorf("closing the engine: %w", err)
	}
	s.reopened.Add(1)
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
	return s.openAll(ctx)
}

func (s *site) close() error {
	errs := make([]error, len(s.slots)+1)
	var shutting sync.WaitGroup
	for i := range s.slots {
		shutting.Go(func() { errs[i] = s.shut(i) })
	}
	shutting.Wait()
	s.mu.Lock()
	e := s.engine
	s.engine = nil
	s.mu.Unlock()
	if e != nil {
		errs[len(s.slots)] = e.Close()
	}
	return errors.Join(errs...)
}

// store returns the store of the preferred slot, or now and then another one, and more
// often while the preferred one is closed. It waits until there is one. If all workers
// always used the same streams through different stores, they would mostly conflict.
func (s *site) store(ctx context.Context, preferred int) (*fdblayer.Store, error) {
	for {
		s.mu.Lock()
		i := preferred % len(s.slots)
		if s.rng.IntN(50) == 0 {
			i = s.rng.IntN(len(s.slots))
		}
		changed := s.changed
		if s.slots[i].store == nil && s.rng.IntN(4) == 0 {
			i = s.rng.IntN(len(s.slots))
		}
		if found := s.slots[i].store; found != nil {
			s.mu.Unlock()
			return found, ctx.Err()
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// calm turns faults off for good, also in stores that are opened later.
func (s *site) calm() {
	s.mu.Lock()
	s.quiet = true
	slots := make([]slot, 0, len(s.slots))
	for _, x := range s.slots {
		slots = append(slots, *x)
	}
	s.mu.Unlock()
	for _, x := range slots {
		if x.fault != nil {
			x.fault.Quiet(true)
		}
	}
}

// transient reports whether faults and restarts explain an error, so that the same
// operation should be tried again.
func transient(err error) bool {
	for _, known := range []error{fdbevents.ErrOutcomeUnknown, fdbevents.ErrClosed, engine.ErrClosed, engine.ErrTimedOut, engine.ErrCommitUnknown, engine.ErrTooOld, engine.ErrFutureVersion, engine.ErrConflict} {
		if errors.Is(err, known) {
			return true
		}
	}
	return engine.Retryable(err)
}
