// Package faultengine wraps an engine and makes it fail at random, from a seed,
// in all the ways that FoundationDB can. It is for tests of code that is built on
// an engine: the contract of package engine allows everything it does.
//
// Some faults are those of FoundationDB's own client fault injection: conflicts,
// old and future versions, commits of unknown outcome that did or did not happen,
// commits that land after they timed out. The others are the faults of its
// watches: some never fire, some fire at once, some fail.
package faultengine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

// Fault is a way to fail.
type Fault int

// The faults. A retry loop hides all but the last two.
const (
	// ReadTooOld and ReadFuture fail one of an attempt's reads with ErrTooOld or
	// ErrFutureVersion.
	ReadTooOld Fault = iota
	ReadFuture
	// SlowRead makes one of an attempt's reads take up to Options.Delay.
	SlowRead
	// CommitConflict and CommitTooOld fail a commit that has not happened.
	CommitConflict
	CommitTooOld
	// UnknownLost is ErrCommitUnknown for a commit that has not happened,
	// UnknownLanded for one that has.
	UnknownLost
	UnknownLanded
	// WatchSilent never fires, WatchEager fires at once, and WatchFails fails with
	// ErrFutureVersion.
	WatchSilent
	WatchEager
	WatchFails
	// TimedOutLost is ErrTimedOut for a commit that never happens, TimedOutLate
	// for one that is tried up to Options.Delay later. Retry loops give up on
	// these.
	TimedOutLost
	TimedOutLate

	faults
)

var faultNames = [faults]string{
	"read too old", "read of a future version", "slow read", "conflict", "too old at commit", "unknown and not committed",
	"unknown and committed", "silent watch", "eager watch", "failing watch", "timed out and not committed", "timed out and tried late",
}

// String names the fault.
func (f Fault) String() string { return faultNames[f] }

// Options say how much fails. The zero value makes nothing fail.
type Options struct {
	// Seed makes the sequence of faults repeatable, to the extent that the order
	// of calls is.
	Seed uint64
	// Rate is how many of 1,000 attempts, commits and watches fail, by fault.
	Rate map[Fault]int
	// Delay bounds how slow a read and how late a commit can be; zero means 5 ms.
	Delay time.Duration
}

// Hidden returns high rates for all faults that a retry loop hides.
func Hidden() map[Fault]int {
	return map[Fault]int{
		ReadTooOld: 30, ReadFuture: 30, SlowRead: 50,
		CommitConflict: 50, CommitTooOld: 20, UnknownLost: 50, UnknownLanded: 80,
		WatchSilent: 20, WatchEager: 100, WatchFails: 100,
	}
}

// All returns the rates of Hidden, and rates for commits that time out.
func All() map[Fault]int {
	rates := Hidden()
	rates[TimedOutLost], rates[TimedOutLate] = 20, 30
	return rates
}

// Engine is an engine that fails.
type Engine struct {
	engine.Engine
	options Options
	// late counts the commits that are still to be tried.
	late sync.WaitGroup

	mu     sync.Mutex
	rng    *rand.Rand
	counts [faults]int64
	quiet  bool
}

// New wraps e. Closing the Engine closes e.
func New(e engine.Engine, o Options) *Engine {
	if o.Delay == 0 {
		o.Delay = 5 * time.Millisecond
	}
	return &Engine{Engine: e, options: o, rng: rand.New(rand.NewPCG(o.Seed, 0))}
}

// Quiet turns faults off, or on again. When it turns them off, it also waits for
// late commits, so that nothing more can happen after it returns.
func (e *Engine) Quiet(quiet bool) {
	e.mu.Lock()
	e.quiet = quiet
	e.mu.Unlock()
	if quiet {
		e.late.Wait()
	}
}

// Count returns how many times a fault was injected.
func (e *Engine) Count(f Fault) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts[f]
}

// String names the engine and its seed.
func (e *Engine) String() string {
	return fmt.Sprintf("%s with faults of seed %d", e.Engine, e.options.Seed)
}

// Begin begins a transaction that can fail.
func (e *Engine) Begin(ctx context.Context) engine.Transaction {
	t := &transaction{Transaction: e.Engine.Begin(ctx), engine: e, ctx: ctx}
	t.begin()
	return t
}

// Close waits for late commits and closes the wrapped engine.
func (e *Engine) Close() error {
	e.late.Wait()
	return e.Engine.Close()
}

// happen counts a fault that was drawn earlier.
func (e *Engine) happen(f Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts[f]++
}

// drawNow draws a fault that happens at once.
func (e *Engine) drawNow(among ...Fault) (f Fault, ok bool) {
	if f, ok = e.draw(among...); ok {
		e.happen(f)
	}
	return f, ok
}

// draw chooses one of the faults, or none: at most one is injected in one place.
func (e *Engine) draw(among ...Fault) (f Fault, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.quiet {
		return 0, false
	}
	n := e.rng.IntN(1000)
	for _, f := range among {
		if n < e.options.Rate[f] {
			return f, true
		}
		n -= e.options.Rate[f]
	}
	return 0, false
}

// readsAhead bounds which of an attempt's reads is the one that fails. An attempt
// with few reads mostly escapes.
const readsAhead = 8

// which returns the number of the read that a fault hits.
func (e *Engine) which() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rng.IntN(readsAhead)
}

// pause returns a duration below Options.Delay.
func (e *Engine) pause() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Duration(e.rng.Int64N(int64(e.options.Delay)))
}
