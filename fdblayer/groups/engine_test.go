package groups_test

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// doubtfulEngine cannot say whether a commit happened, while doubt is true.
type doubtfulEngine struct {
	engine.Engine
	// lands says whether the commits in doubt happen.
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

// gatedEngine does not begin transactions while it is locked.
type gatedEngine struct {
	engine.Engine
	sync.RWMutex
}

func (g *gatedEngine) Begin(ctx context.Context) engine.Transaction {
	g.RLock()
	defer g.RUnlock()
	return g.Engine.Begin(ctx)
}

// onceUnknownEngine calls meanwhile after each commit. It reports the first commit for
// which that returns true as unknown, although it happened.
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

// OnError begins a new transaction after the commit that was reported as unknown, since
// for the inner engine that transaction is over.
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
