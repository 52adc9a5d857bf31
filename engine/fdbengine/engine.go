//go:build fdb

package fdbengine

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/fdbevents/fdbevents/engine"
)

// Engine is an open FoundationDB cluster.
type Engine struct {
	db     fdb.Database // shared, never closed
	name   string
	prefix []byte

	mu           sync.Mutex
	closed       atomic.Bool               // changes under mu
	transactions map[*transaction]struct{} // begun and not ended
	watches      map[*watch]struct{}       // not ended

	commits sync.WaitGroup // commits under way
	waits   sync.WaitGroup // goroutines that wait for watches
}

var _ engine.Engine = (*Engine)(nil)

func newEngine(db fdb.Database, clusterFile string, prefix []byte) *Engine {
	name := "fdb:" + clusterFile
	if len(prefix) > 0 {
		name += "?prefix=" + fdb.Printable(prefix)
	}
	return &Engine{
		db: db, name: name, prefix: bytes.Clone(prefix),
		transactions: map[*transaction]struct{}{}, watches: map[*watch]struct{}{},
	}
}

// Begin implements engine.Engine.
func (e *Engine) Begin(ctx context.Context) engine.Transaction {
	t := &transaction{engine: e, ctx: ctx}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		t.state, t.refused = stillborn, engine.ErrClosed
		return t
	}
	tr, err := e.db.CreateTransaction()
	if err != nil {
		t.state, t.refused = stillborn, fmt.Errorf("begin: %w", translate(err))
		return t
	}
	t.tr = tr
	t.stopWatching = context.AfterFunc(ctx, func() { t.interrupt(ended(ctx)) })
	e.transactions[t] = struct{}{}
	return t
}

// Prefix implements engine.Engine.
func (e *Engine) Prefix() []byte { return e.prefix }

// String returns the URL of the engine, with the prefix made printable.
func (e *Engine) String() string { return e.name }

// Close implements engine.Engine. The client's database handle stays open: other
// engines of this process may share it.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed.Load() {
		e.mu.Unlock()
		return engine.ErrClosed
	}
	e.closed.Store(true)
	e.mu.Unlock()

	e.commits.Wait()

	e.mu.Lock()
	transactions := make([]*transaction, 0, len(e.transactions))
	for t := range e.transactions {
		transactions = append(transactions, t)
	}
	watches := make([]*watch, 0, len(e.watches))
	for w := range e.watches {
		watches = append(watches, w)
	}
	clear(e.transactions)
	e.mu.Unlock()
	for _, t := range transactions {
		t.stopWatching()
		t.interrupt(engine.ErrClosed)
	}
	for _, w := range watches {
		w.end(engine.ErrClosed)
		w.future.Cancel()
	}
	e.waits.Wait()
	return nil
}

// beginCommit keeps Close from returning before endCommit. It fails when the
// engine is closed.
func (e *Engine) beginCommit() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return engine.ErrClosed
	}
	e.commits.Add(1)
	return nil
}

func (e *Engine) endCommit() { e.commits.Done() }

// forget drops a transaction that has ended.
func (e *Engine) forget(t *transaction) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.transactions, t)
}

// keep starts the goroutine that waits for a watch. It fails when the engine is
// closed.
func (e *Engine) keep(w *watch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return engine.ErrClosed
	}
	e.watches[w] = struct{}{}
	e.waits.Go(func() {
		w.await()
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watches, w)
	})
	return nil
}
