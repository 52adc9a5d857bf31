//go:build fdb

package fdbengine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/fdbevents/fdbevents/engine"
)

// transaction is a FoundationDB transaction under a context.
//
// The client frees a transaction when it is garbage collected, and not before its
// futures are.
type transaction struct {
	engine       *Engine
	ctx          context.Context
	tr           fdb.Transaction
	stopWatching func() bool // stops watching ctx
	size         size

	mu      sync.Mutex
	state   state
	refused error // why it is stillborn, or why its first invalid write was refused
	pages   []*boundedPage
	stamps  []fdb.FutureKey
	watches []*watch
}

// state is the stage that a transaction has reached.
type state int

const (
	open       state = iota
	committing       // Commit was called, and has not succeeded
	committed
	abandoned // by Cancel
	stillborn // Begin failed
)

var _ engine.Transaction = (*transaction)(nil)

// usable returns an error if the transaction cannot be used.
func (t *transaction) usable() error {
	t.mu.Lock()
	state, refused := t.state, t.refused
	t.mu.Unlock()
	switch {
	case state == stillborn:
		return refused
	case state == committed:
		return engine.ErrUsedDuringCommit
	case t.ctx.Err() != nil:
		return ended(t.ctx)
	case t.engine.closed.Load():
		return engine.ErrClosed
	case state == abandoned:
		return engine.ErrCancelled
	case state == committing:
		return engine.ErrUsedDuringCommit
	}
	return nil
}

// failure returns the error for a failed read.
func (t *transaction) failure(err error) error {
	switch {
	case t.ctx.Err() != nil && cancelled(err):
		return ended(t.ctx)
	case t.ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ended(t.ctx), translate(err))
	case t.engine.closed.Load() && cancelled(err):
		return engine.ErrClosed
	}
	return translate(err)
}

// write lets fn buffer its writes, unless refusal says why it must not.
func (t *transaction) write(refusal error, fn func(tr fdb.Transaction)) {
	t.mu.Lock()
	if t.state != open {
		t.mu.Unlock()
		return
	}
	if refusal != nil {
		if t.refused == nil {
			t.refused = refusal
		}
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	t.settle()
	fn(t.tr)
}

// Set implements engine.Transaction.
func (t *transaction) Set(key, value []byte) {
	t.write(engine.CheckSet(key, value), func(tr fdb.Transaction) {
		tr.Set(fdb.Key(key), value)
		t.size.wrote(key, value)
	})
}

// Clear implements engine.Transaction. A key above MaxKeySize cannot exist, so
// there is nothing to clear.
func (t *transaction) Clear(key []byte) {
	t.write(engine.CheckReadKey(key), func(tr fdb.Transaction) {
		if len(key) <= engine.MaxKeySize {
			tr.Clear(fdb.Key(key))
			t.size.wrote(key, key)
		}
	})
}

// ClearRange implements engine.Transaction.
func (t *transaction) ClearRange(r engine.Range) {
	t.write(engine.CheckRange(r), func(tr fdb.Transaction) {
		if !r.Empty() { // an inverted range would fail the commit
			tr.ClearRange(keyRange(r))
			t.size.cleared(r)
		}
	})
}

// Atomic implements engine.Transaction.
func (t *transaction) Atomic(op engine.Op, key, operand []byte) {
	t.write(engine.CheckAtomic(op, key, operand), func(tr fdb.Transaction) {
		k := fdb.Key(key)
		switch op {
		case engine.OpAdd:
			tr.Add(k, operand)
		case engine.OpMax:
			tr.Max(k, operand)
		case engine.OpMin:
			tr.Min(k, operand)
		case engine.OpVersionstampedKey:
			tr.SetVersionstampedKey(k, operand)
		case engine.OpVersionstampedValue:
			tr.SetVersionstampedValue(k, operand)
		case engine.OpByteMin:
			tr.ByteMin(k, operand)
		case engine.OpByteMax:
			tr.ByteMax(k, operand)
		case engine.OpCompareAndClear:
			tr.CompareAndClear(k, operand)
		}
		t.size.wrote(key, operand)
	})
}

// AddReadConflict implements engine.Transaction.
func (t *transaction) AddReadConflict(r engine.Range) {
	t.addConflict(r, fdb.Transaction.AddReadConflictRange)
}

// AddWriteConflict implements engine.Transaction.
func (t *transaction) AddWriteConflict(r engine.Range) {
	t.addConflict(r, fdb.Transaction.AddWriteConflictRange)
}

func (t *transaction) addConflict(r engine.Range, add func(fdb.Transaction, fdb.ExactRange) error) {
	t.write(engine.CheckRange(r), func(tr fdb.Transaction) {
		if r.Empty() {
			return
		}
		if err := add(tr, keyRange(r)); err != nil {
			t.write(translate(err), nil)
		}
		t.size.conflict(r.Begin, r.End)
	})
}

// Versionstamp implements engine.Transaction.
func (t *transaction) Versionstamp() engine.Future[engine.Stamp] {
	if err := t.usable(); err != nil {
		return failed[engine.Stamp]{err}
	}
	f := t.tr.GetVersionstamp()
	t.mu.Lock()
	t.stamps = append(t.stamps, f)
	t.mu.Unlock()
	return future(func() (engine.Stamp, error) {
		b, err := f.Get()
		if err != nil {
			return engine.Stamp{}, t.failure(err)
		}
		return engine.Stamp(b), nil
	})
}

// Size implements engine.Transaction.
func (t *transaction) Size() int64 { return t.size.total() }

// Commit implements engine.Transaction.
func (t *transaction) Commit() error {
	t.settle()
	if err := t.startCommit(); err != nil {
		t.dropStamps()
		t.failWatches(err)
		return err
	}
	defer t.engine.endCommit()
	if err := t.tr.Commit().Get(); err != nil {
		err = t.commitFailure(err)
		t.failWatches(err)
		return err
	}
	t.mu.Lock()
	t.state = committed
	watches := t.watches
	t.watches, t.stamps = nil, nil
	t.mu.Unlock()
	for _, w := range watches {
		w.arm()
	}
	t.over()
	return nil
}

// startCommit registers a commit with the engine, or returns an error if Commit
// cannot be tried.
func (t *transaction) startCommit() error {
	if err := t.usable(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused != nil {
		t.state = committing // as after every failed commit
		return t.refused
	}
	if err := t.engine.beginCommit(); err != nil {
		return err
	}
	t.state = committing
	return nil
}

// commitFailure returns the error for a failed commit. A commit that was
// cancelled under way may still happen.
func (t *transaction) commitFailure(err error) error {
	var reason error
	switch {
	case t.ctx.Err() != nil && cancelled(err):
		return fmt.Errorf("%w: %w", engine.ErrCommitUnknown, ended(t.ctx))
	case t.ctx.Err() != nil:
		reason = ended(t.ctx)
	}
	err = translate(err)
	if errors.Is(err, engine.ErrTransactionTooLarge) {
		err = fmt.Errorf("transaction of about %d bytes (limit %d): %w", t.Size(), engine.MaxTransactionSize, err)
	}
	if reason != nil {
		return fmt.Errorf("%w: %w", reason, err)
	}
	return err
}

// OnError implements engine.Transaction. The client does the pause and the reset.
func (t *transaction) OnError(err error) error {
	t.settle()
	if usable := t.usable(); usable != nil && !errors.Is(usable, engine.ErrUsedDuringCommit) {
		return usable
	}
	var e engine.Error
	switch {
	case err == nil:
		return fmt.Errorf("OnError called without an error: %w", engine.ErrInvalidOperation)
	case t.isCommitted():
		return engine.ErrUsedDuringCommit
	case !errors.As(err, &e) || !e.Retryable():
		return err
	}
	t.dropStamps()
	t.failWatches(err)
	if err := t.tr.OnError(fdb.Error{Code: int(e)}).Get(); err != nil {
		return t.failure(err)
	}
	t.mu.Lock()
	if t.state != abandoned {
		t.state = open
	}
	t.refused = nil
	t.mu.Unlock()
	t.size.reset()
	// A Cancel before the reset had no effect.
	if err := t.usable(); err != nil {
		t.tr.Cancel()
		return err
	}
	return nil
}

func (t *transaction) isCommitted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == committed
}

// Cancel implements engine.Transaction.
func (t *transaction) Cancel() {
	t.mu.Lock()
	if t.state != open && t.state != committing {
		t.mu.Unlock()
		return
	}
	t.state = abandoned
	t.mu.Unlock()
	t.interrupt(engine.ErrCancelled)
	t.over()
}

// interrupt ends what the client is doing for the transaction.
func (t *transaction) interrupt(reason error) {
	t.tr.Cancel()
	t.failWatches(reason)
}

// failWatches fails the watches of an attempt that does not commit. If the client
// has already read a watch's key, it leaves that watch hanging for as long as the
// transaction exists. Source: fdbclient/ReadYourWrites.actor.cpp, watch.
func (t *transaction) failWatches(reason error) {
	t.mu.Lock()
	watches := t.watches
	t.watches = nil
	t.mu.Unlock()
	for _, w := range watches {
		w.end(fmt.Errorf("watch of a transaction that did not commit: %w", reason))
		w.future.Cancel()
	}
}

// over drops a transaction that needs no more attention.
func (t *transaction) over() {
	t.stopWatching()
	t.engine.forget(t)
}

// dropStamps fails versionstamps that no commit will resolve.
func (t *transaction) dropStamps() {
	t.mu.Lock()
	stamps := t.stamps
	t.stamps = nil
	t.mu.Unlock()
	for _, f := range stamps {
		f.Cancel()
	}
}

// keyRange returns r as the binding's type.
func keyRange(r engine.Range) fdb.KeyRange {
	return fdb.KeyRange{Begin: fdb.Key(r.Begin), End: fdb.Key(r.End)}
}
