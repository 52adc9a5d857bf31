package faultengine

import (
	"context"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

// transaction is an attempt that can fail.
type transaction struct {
	engine.Transaction
	engine *Engine
	ctx    context.Context
	// failed is the error injected at commit, until OnError.
	failed error

	mu sync.Mutex
	// fault hits a read, after that many others; after -1, none.
	fault Fault
	after int
	// poisoned is the first error injected into a read. It makes the commit fail
	// too.
	poisoned error
}

// begin decides the fate of the attempt's reads.
func (t *transaction) begin() {
	fault, ok := t.engine.draw(ReadTooOld, ReadFuture, SlowRead)
	after := -1
	if ok {
		after = t.engine.which()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault, t.after = fault, after
}

// readFault returns the fault, if any, that hits the next read.
func (t *transaction) readFault() (Fault, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.after < 0 {
		return 0, false
	}
	t.after--
	if t.after >= 0 {
		return 0, false
	}
	t.engine.happen(t.fault)
	return t.fault, true
}

// Get reads a key, or fails.
func (t *transaction) Get(key []byte) engine.Future[[]byte] {
	return faulty(t, t.Transaction.Get(key))
}

// GetRange reads keys, or fails.
func (t *transaction) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return faulty(t, t.Transaction.GetRange(r, o))
}

// ReadVersion returns the read version, or fails.
func (t *transaction) ReadVersion() engine.Future[int64] {
	return faulty(t, t.Transaction.ReadVersion())
}

// Snapshot returns a view whose reads fail like others.
func (t *transaction) Snapshot() engine.Reader {
	return snapshot{t, t.Transaction.Snapshot()}
}

type snapshot struct {
	t *transaction
	engine.Reader
}

func (s snapshot) Get(key []byte) engine.Future[[]byte] { return faulty(s.t, s.Reader.Get(key)) }

func (s snapshot) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return faulty(s.t, s.Reader.GetRange(r, o))
}

// faulty decides the fate of a read.
func faulty[T any](t *transaction, f engine.Future[T]) engine.Future[T] {
	fault, ok := t.readFault()
	if !ok {
		return f
	}
	if fault == SlowRead {
		return &slow[T]{f, t.ctx, time.Now().Add(t.engine.pause())}
	}
	err := engine.ErrTooOld
	if fault == ReadFuture {
		err = engine.ErrFutureVersion
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.poisoned == nil {
		t.poisoned = err
	}
	return broken[T]{err}
}

// broken is a read that failed.
type broken[T any] struct{ err error }

func (b broken[T]) Get() (T, error) {
	var none T
	return none, b.err
}

// slow is a read whose result does not arrive before a certain time.
type slow[T any] struct {
	engine.Future[T]
	ctx  context.Context
	when time.Time
}

func (s *slow[T]) Get() (T, error) {
	select {
	case <-time.After(time.Until(s.when)):
	case <-s.ctx.Done():
	}
	return s.Future.Get()
}

// Commit commits, or fails, or both.
func (t *transaction) Commit() error {
	t.mu.Lock()
	err := t.poisoned
	t.mu.Unlock()
	if err == nil {
		err = t.commit()
	}
	return err
}

func (t *transaction) commit() error {
	fault, ok := t.engine.drawNow(CommitConflict, CommitTooOld, UnknownLost, UnknownLanded, TimedOutLost, TimedOutLate)
	if !ok {
		return t.Transaction.Commit()
	}
	switch fault {
	case CommitConflict:
		t.failed = engine.ErrConflict
	case CommitTooOld:
		t.failed = engine.ErrTooOld
	case UnknownLost:
		t.failed = engine.ErrCommitUnknown
	case UnknownLanded:
		if err := t.Transaction.Commit(); err != nil {
			return err
		}
		t.failed = engine.ErrCommitUnknown
	case TimedOutLost:
		t.failed = engine.ErrTimedOut
	case TimedOutLate:
		t.failed = engine.ErrTimedOut
		t.abandon()
	}
	return t.failed
}

// abandon replaces the transaction by a new one. The old one's commit is tried
// later, and nobody learns of it.
func (t *transaction) abandon() {
	abandoned, after := t.Transaction, t.engine.pause()
	t.Transaction = t.engine.Engine.Begin(t.ctx)
	t.engine.late.Go(func() {
		time.Sleep(after)
		_ = abandoned.Commit()
		abandoned.Cancel()
	})
}

// OnError starts over after an injected error, as the wrapped engine does after
// its own.
func (t *transaction) OnError(err error) error {
	t.mu.Lock()
	injected := t.failed != nil || t.poisoned != nil
	t.failed, t.poisoned = nil, nil
	t.mu.Unlock()
	if !injected {
		defer t.begin()
		return t.Transaction.OnError(err)
	}
	t.Transaction.Cancel()
	t.Transaction = t.engine.Engine.Begin(t.ctx)
	t.begin()
	if t.ctx.Err() != nil {
		return t.ctx.Err()
	}
	if !engine.Retryable(err) {
		return err
	}
	return nil
}

// Watch watches a key, or pretends to.
func (t *transaction) Watch(key []byte) engine.Watch {
	inner := t.Transaction.Watch(key)
	fault, ok := t.engine.drawNow(WatchSilent, WatchEager, WatchFails)
	if !ok {
		return inner
	}
	inner.Cancel()
	return &watch{fault: fault, cancelled: make(chan struct{})}
}

// watch behaves as its fault says.
type watch struct {
	fault     Fault
	once      sync.Once
	cancelled chan struct{}
}

func (w *watch) Wait(ctx context.Context) error {
	switch w.fault {
	case WatchEager:
		return nil
	case WatchFails:
		return engine.ErrFutureVersion
	}
	select {
	case <-w.cancelled:
		return engine.ErrCancelled
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *watch) Cancel() { w.once.Do(func() { close(w.cancelled) }) }
