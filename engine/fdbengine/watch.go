//go:build fdb

package fdbengine

import (
	"context"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/fdbevents/fdbevents/engine"
)

// watch is a watch and the goroutine that waits for it. The client can leave a
// watch hanging; so waiters wait for the goroutine, their context or a
// cancellation, whichever comes first.
type watch struct {
	t      *transaction
	future fdb.FutureNil
	done   chan struct{} // closed when the watch ends

	mu    sync.Mutex
	armed bool // the transaction has committed
	over  bool // it has ended
	err   error
}

var _ engine.Watch = (*watch)(nil)

// Watch implements engine.Transaction. The client reads the key, which is
// therefore among the read conflicts.
func (t *transaction) Watch(key []byte) engine.Watch {
	w := &watch{t: t, done: make(chan struct{})}
	err := t.usable()
	if err == nil {
		err = engine.CheckKey(key)
	}
	if err != nil {
		w.end(err)
		return w
	}
	t.settle()
	w.future = t.tr.Watch(fdb.Key(key))
	t.size.read(key, key)
	t.mu.Lock()
	t.watches = append(t.watches, w)
	t.mu.Unlock()
	if err := t.engine.keep(w); err != nil {
		w.end(err)
	}
	if err := t.usable(); err != nil { // the transaction may have ended before the watch was registered
		t.failWatches(err)
	}
	return w
}

// await waits for the client.
func (w *watch) await() {
	err := w.future.Get()
	w.mu.Lock()
	armed := w.armed
	w.mu.Unlock()
	switch {
	case err != nil && armed: // the watch no longer belongs to the transaction
		err = translate(err)
	case err != nil:
		err = w.t.failure(err)
	}
	w.end(err)
}

// end ends the watch; only the first call counts.
func (w *watch) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.over, w.err = true, err
		close(w.done)
	}
}

// arm marks the watch's transaction as committed.
func (w *watch) arm() {
	w.mu.Lock()
	w.armed = true
	over := w.over
	w.mu.Unlock()
	if over {
		w.future.Cancel()
	}
}

// Wait implements engine.Watch.
func (w *watch) Wait(ctx context.Context) error {
	select {
	case <-w.done:
	default:
		select {
		case <-w.done:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Cancel implements engine.Watch. Before the commit it leaves the client's future
// alone: the commit waits for the future's read, and would fail with it.
func (w *watch) Cancel() {
	w.end(engine.ErrCancelled)
	w.mu.Lock()
	armed := w.armed
	w.mu.Unlock()
	if armed {
		w.future.Cancel()
	}
}
