package fdblayer_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// flakyEngine makes commits fail as FoundationDB's can: not committed and said
// so, not committed but unknown, committed but unknown.
type flakyEngine struct {
	engine.Engine
	// rate is how many of 100 commits fail.
	rate int
	// failNext, when not nil, decides the next commits instead.
	failNext func(t *flakyTransaction) error
	// giveUp, when not nil, is why nothing is tried again.
	giveUp error

	mu                  sync.Mutex
	rng                 *rand.Rand
	unknownIn, unknowns atomic.Int64
}

func newFlakyEngine(e engine.Engine, seed uint64, rate int) *flakyEngine {
	return &flakyEngine{Engine: e, rate: rate, rng: rand.New(rand.NewPCG(seed, 0))}
}

func (f *flakyEngine) Begin(ctx context.Context) engine.Transaction {
	return &flakyTransaction{Transaction: f.Engine.Begin(ctx), engine: f, ctx: ctx}
}

func (f *flakyEngine) roll(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

type flakyTransaction struct {
	engine.Transaction
	engine *flakyEngine
	ctx    context.Context
	// injected is true when the last error is not the inner transaction's.
	injected bool
	// abandoned is true when somebody else ends the inner transaction.
	abandoned bool
}

func (t *flakyTransaction) Cancel() {
	if !t.abandoned {
		t.Transaction.Cancel()
	}
}

func (t *flakyTransaction) Commit() error {
	f := t.engine
	if f.failNext != nil {
		err := f.failNext(t)
		t.injected = err != nil
		return err
	}
	if f.roll(100) >= f.rate {
		return t.Transaction.Commit()
	}
	t.injected = true
	switch f.roll(4) {
	case 0:
		return engine.ErrConflict
	case 1:
		return engine.ErrTooOld
	case 2:
		f.unknowns.Add(1)
		return engine.ErrCommitUnknown
	default:
		err := t.Transaction.Commit()
		if err == nil {
			f.unknownIn.Add(1)
			err = engine.ErrCommitUnknown
		} else {
			t.injected = false
		}
		return err
	}
}

func (t *flakyTransaction) OnError(err error) error {
	if !t.injected {
		return t.Transaction.OnError(err)
	}
	t.injected = false
	t.Cancel()
	t.abandoned = false
	t.Transaction = t.engine.Engine.Begin(t.ctx)
	if t.ctx.Err() != nil {
		return t.ctx.Err()
	}
	if t.engine.giveUp != nil {
		return t.engine.giveUp
	}
	if !engine.Retryable(err) {
		return err
	}
	return nil
}
