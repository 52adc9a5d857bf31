package fdblayer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// door is the only way to the engine while the store is open, Transact and the
// batcher apart, whose commits go through a marker. Its methods return ErrClosed
// after Close, and Close waits for calls under way.
//
// The doors of a Store are embedded in it. A goroutine that Close waits for, and
// that has work to finish then, has a resident one, which Close does not shut.
type door struct {
	store    *Store
	resident bool
}

// reader reads the store at one version, without conflicts.
type reader struct {
	engine.Reader
	tr engine.Transaction
}

// newReader is the snapshot view of a transaction.
func newReader(tr engine.Transaction) reader { return reader{tr.Snapshot(), tr} }

// ReadVersion is the version that all reads see.
func (r reader) ReadVersion() engine.Future[int64] { return r.tr.ReadVersion() }

// view runs fn with a reader, again and again while the engine's errors allow. fn
// awaits all that it reads, and keeps nothing from an earlier attempt.
func (d door) view(ctx context.Context, fn func(r reader) error) error {
	return d.through(func() error {
		again := false
		return engine.Read(ctx, d.store.engine, func(tr engine.Transaction) error {
			if again {
				d.store.stats.retries.Add(1)
			}
			again = true
			return fn(newReader(tr))
		})
	})
}

// update runs fn and commits what it writes, again and again while the engine's
// errors allow; see engine.Run for prior. fn may run once more after an attempt
// that was committed, so it decides anew what to write.
func (d door) update(ctx context.Context, fn func(tr engine.Transaction, prior error) error) error {
	return d.through(func() error {
		return engine.Run(ctx, d.store.engine, func(tr engine.Transaction, prior error) error {
			d.store.retried(prior)
			return fn(tr, prior)
		})
	})
}

// watch is view for an fn that also arms watches. They fire when a key no longer
// has the value that fn's reader sees. What fn keeps of an earlier attempt's
// watches is worthless.
func (d door) watch(ctx context.Context, fn func(r reader, arm func(key []byte) engine.Watch) error) error {
	return d.update(ctx, func(tr engine.Transaction, _ error) error { return fn(newReader(tr), tr.Watch) })
}

// through runs a call while Close waits for it.
func (d door) through(call func() error) error {
	s := d.store
	if !d.resident {
		if err := s.enter(&s.calls); err != nil {
			return err
		}
		defer s.calls.Done()
	}
	return translate(call())
}

// translate puts an engine's error into words of the store, where it has them.
func translate(err error) error {
	switch {
	case err == nil, errors.Is(err, fdbevents.ErrClosed), errors.Is(err, fdbevents.ErrTooLarge):
	case errors.Is(err, engine.ErrClosed):
		return fmt.Errorf("%w: %w", fdbevents.ErrClosed, err)
	case errors.Is(err, engine.ErrTransactionTooLarge), errors.Is(err, engine.ErrKeyTooLarge), errors.Is(err, engine.ErrValueTooLarge):
		return fmt.Errorf("%w: %w", fdbevents.ErrTooLarge, err)
	}
	return err
}

// enter counts the caller in, unless the store is closed.
func (s *Store) enter(wg *sync.WaitGroup) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fdbevents.ErrClosed
	}
	wg.Add(1)
	return nil
}

// refuseAhead refuses a position that a store at this version cannot have given out.
// End passes.
func refuseAhead(p fdbevents.Position, version int64) error {
	if p != fdbevents.End && layout.LastOfVersion(version).Before(p) {
		return &fdbevents.InvalidError{What: "position", Value: p.String(), Reason: "is ahead of this store, so it must come from another one; use a position of this store, or start or end"}
	}
	return nil
}

// checkPosition refuses a position of another store, as far as that can be told.
func checkPosition(r versioned, p fdbevents.Position) error {
	version, err := r.ReadVersion().Get()
	if err != nil {
		return err
	}
	return refuseAhead(p, version)
}

// versioned is a reader or a transaction.
type versioned interface {
	ReadVersion() engine.Future[int64]
}
