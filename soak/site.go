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

// site is the stores of one process, all on one engine, which are closed and opened
// again under those who use them.
type site struct {
	url    string
	faults bool

	mu     sync.Mutex
	rng    *rand.Rand
	engine engine.Engine
	slots  []*slot
	// quiet is true once no more faults are wanted.
	quiet bool
	// changed is closed when a store was opened.
	changed chan struct{}

	restarts, reopened, injected atomic.Int64
}

// slot is one of the stores, nil while it is being opened again.
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

// open opens a store, on faults that are drawn anew.
func (s *site) open(ctx context.Context, i int) error {
	s.mu.Lock()
	rates := faultengine.Hidden()
	if s.rng.IntN(3) == 0 {
		rates = faultengine.All()
	}
	if !s.faults {
		rates = nil
	}
	// They come a fifth as often as in tests of single things, so that much is also
	// done under load.
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

// shut closes a store, and waits until nothing of it is under way.
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
		err = nil // what it could not clean up, others will
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

// store is the store of a slot, or another one now and then, and more often while
// that is closed. It waits for one. If all went to the same streams through
// different stores all the time, they would mostly be in each other's way.
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

// calm turns faults off for good, in stores that are opened later, too.
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

// transient reports whether an error is one that faults and restarts explain, so
// that the same is to be tried again.
func transient(err error) bool {
	for _, known := range []error{fdbevents.ErrOutcomeUnknown, fdbevents.ErrClosed, engine.ErrClosed, engine.ErrTimedOut, engine.ErrCommitUnknown, engine.ErrTooOld, engine.ErrFutureVersion, engine.ErrConflict} {
		if errors.Is(err, known) {
			return true
		}
	}
	return engine.Retryable(err)
}
