package storetest

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// flakyEngine makes commits fail as FoundationDB's can: not committed and said
// so, not committed but unknown, committed but unknown.
type FlakyEngine struct {
	engine.Engine
	// rate is how many of 100 commits fail.
	rate int
	// failNext, when not nil, decides the next commits instead.
	FailNext func(t *FlakyTransaction) error
	// giveUp, when not nil, is why nothing is tried again.
	GiveUp error

	mu                  sync.Mutex
	rng                 *rand.Rand
	UnknownIn, Unknowns atomic.Int64
}

func NewFlakyEngine(e engine.Engine, seed uint64, rate int) *FlakyEngine {
	return &FlakyEngine{Engine: e, rate: rate, rng: rand.New(rand.NewPCG(seed, 0))}
}

func (f *FlakyEngine) Begin(ctx context.Context) engine.Transaction {
	return &FlakyTransaction{Transaction: f.Engine.Begin(ctx), engine: f, Ctx: ctx}
}

func (f *FlakyEngine) Roll(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

type FlakyTransaction struct {
	engine.Transaction
	engine *FlakyEngine
	Ctx    context.Context
	// injected is true when the last error is not the inner transaction's.
	injected bool
	// abandoned is true when somebody else ends the inner transaction.
	Abandoned bool
}

func (t *FlakyTransaction) Cancel() {
	if !t.Abandoned {
		t.Transaction.Cancel()
	}
}

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
