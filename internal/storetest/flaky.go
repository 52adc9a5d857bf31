package storetest

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// FlakyEngine makes commits fail in the ways FoundationDB's can fail: not committed with a
// definite error, not committed but unknown, and committed but unknown.
type FlakyEngine struct {
	engine.Engine
	// rate is the percentage of commits that fail.
	rate int
	// FailNext, if not nil, replaces the commits: it decides whether and how each fails,
	// and commits itself what should be committed.
	FailNext func(t *FlakyTransaction) error
	// GiveUp, if not nil, ends the retry loop after an injected failure.
	GiveUp error

	mu  sync.Mutex
	rng *rand.Rand
	// UnknownIn counts the unknown commits that happened, Unknowns the unknown commits
	// that did not.
	UnknownIn, Unknowns atomic.Int64
}

// NewFlakyEngine wraps an engine and makes rate of 100 commits fail.
func NewFlakyEngine(e engine.Engine, seed uint64, rate int) *FlakyEngine {
	return &FlakyEngine{Engine: e, rate: rate, rng: rand.New(rand.NewPCG(seed, 0))}
}

// Begin implements engine.Engine.
func (f *FlakyEngine) Begin(ctx context.Context) engine.Transaction {
	return &FlakyTransaction{Transaction: f.Engine.Begin(ctx), engine: f, Ctx: ctx}
}

// Roll returns a random number from 0 to n-1.
func (f *FlakyEngine) Roll(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

// FlakyTransaction is a transaction of a FlakyEngine.
type FlakyTransaction struct {
	engine.Transaction
	engine *FlakyEngine
	// Ctx is the context the transaction was begun with.
	Ctx context.Context
	// injected is true if the last error is ours, not the inner transaction's.
	injected bool
	// Abandoned is true if somebody else ends the inner transaction.
	Abandoned bool
}

// Cancel implements engine.Transaction.
func (t *FlakyTransaction) Cancel() {
	if !t.Abandoned {
		t.Transaction.Cancel()
	}
}

// Commit implements engine.Transaction. It may fail although nothing is wrong.
func (t *FlakyTransaction) Commit() error {
	f := t.engine
	if f.FailNext != nil {
		err := f.FailNext(t)
		t.injected = err != nil
		return err
	}
	if f.Roll(100) >= f.rate {
		return t.Transaction.Commit()
	}
	t.injected = true
	switch f.Roll(4) {
	case 0:
		return engine.ErrConflict
	case 1:
		return engine.ErrTooOld
	case 2:
		f.Unknowns.Add(1)
		return engine.ErrCommitUnknown
	default:
		err := t.Transaction.Commit()
		if err == nil {
			f.UnknownIn.Add(1)
			err = engine.ErrCommitUnknown
		} else {
			t.injected = false
		}
		return err
	}
}

// OnError implements engine.Transaction.
func (t *FlakyTransaction) OnError(err error) error {
	if !t.injected {
		return t.Transaction.OnError(err)
	}
	t.injected = false
	t.Cancel()
	t.Abandoned = false
	t.Transaction = t.engine.Engine.Begin(t.Ctx)
	if t.Ctx.Err() != nil {
		return t.Ctx.Err()
	}
	if t.engine.GiveUp != nil {
		return t.engine.GiveUp
	}
	if !engine.Retryable(err) {
		return err
	}
	return nil
}
