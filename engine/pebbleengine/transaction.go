package pebbleengine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

// transaction is the engine.Transaction for every backend. Its reads are in
// read.go.
type transaction struct {
	engine *Engine
	ctx    context.Context
	// pause is the next back-off of OnError.
	pause time.Duration

	// mu guards the attempt: reads may come from several goroutines.
	mu sync.Mutex
	attempt
}

// attempt is the state that OnError starts anew.
type attempt struct {
	phase phase
	// number tells a read that ends late whether its attempt is still the current
	// one.
	number int

	// backend and view are nil, and born is zero, until the first read. It binds
	// the attempt to them.
	backend backend
	view    view
	born    time.Time

	mutations []mutation
	// blind is how many of the mutations were made before the first read.
	blind int
	// overlay reflects the first overlaid of the mutations. It is brought up to
	// date when something is read after a write, which most transactions never do.
	overlay  overlay
	overlaid int

	reads   conflicts
	writes  []engine.Range
	watches []armedAt
	// pending are reads whose result, and therefore conflict range, is not known
	// yet.
	pending []interface{ settle() error }

	stamp *stampFuture
	size  int64
	// invalid is the first error of a write, unread of a read of something
	// unreadable. Commit returns them.
	invalid, unread error
}

type phase uint8

const (
	active     phase = iota
	committing       // or a commit has failed and OnError has not been called
	committed
	cancelled
)

// armedAt is a watch and the number of mutations that were made before it.
type armedAt struct {
	*watch
	mutations int
	// independent cuts the watch's tie to the transaction's context.
	independent func() bool
}

const (
	firstPause = time.Millisecond
	lastPause  = time.Second
)

// usable returns why the attempt cannot go on, or nil. The caller holds mu.
func (t *transaction) usable() error {
	switch t.phase {
	case active:
	case cancelled:
		return engine.ErrCancelled
	default:
		return engine.ErrUsedDuringCommit
	}
	if err := t.ctx.Err(); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	if t.view != nil {
		if age := time.Since(t.born); age > engine.MaxTransactionAge {
			return fmt.Errorf("transaction is %v old: %w", age.Round(time.Millisecond), engine.ErrTooOld)
		}
	}
	return nil
}

// open binds the attempt to a view, unless it has one. The caller holds mu.
func (t *transaction) open() error {
	if t.view != nil {
		return nil
	}
	born := time.Now()
	b, v, err := t.engine.acquire(t.ctx)
	if err != nil {
		return err
	}
	t.backend, t.view, t.born = b, v, born
	t.blind = len(t.mutations)
	return nil
}

// ReadVersion implements engine.Transaction.
func (t *transaction) ReadVersion() engine.Future[int64] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return failed[int64](err)
	}
	if err := t.open(); err != nil {
		return failed[int64](err)
	}
	return ready[int64]{value: t.view.version()}
}

// Set implements engine.Transaction.
func (t *transaction) Set(key, value []byte) {
	t.mutate(mutation{op: opSet, key: key, value: value}, engine.CheckSet(key, value))
}

// Clear implements engine.Transaction.
func (t *transaction) Clear(key []byte) {
	if len(key) > engine.MaxKeySize && engine.CheckReadKey(key) == nil {
		return // no key can be this long
	}
	t.mutate(mutation{op: opClear, key: key}, engine.CheckReadKey(key))
}

// ClearRange implements engine.Transaction.
func (t *transaction) ClearRange(r engine.Range) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refusal := engine.CheckRange(r)
	if r = shorten(r); t.writable(refusal) != nil || r.Empty() {
		return
	}
	t.buffer(mutation{op: opClearRange, key: r.Begin, value: r.End})
	t.size += 2 * rangeSize(r)
}

// Atomic implements engine.Transaction.
func (t *transaction) Atomic(op engine.Op, key, operand []byte) {
	t.mutate(mutation{op: op, key: key, value: operand}, engine.CheckAtomic(op, key, operand))
}

// mutate buffers a write of one key, unless it is refused.
func (t *transaction) mutate(m mutation, refusal error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.writable(refusal); err != nil {
		return
	}
	t.buffer(m)
	t.size += int64(3*len(m.key) + len(m.value) + 1) // the key counts again, for its conflict range
}

// buffer adds a mutation. The caller holds mu.
func (t *transaction) buffer(m mutation) {
	if t.mutations == nil {
		t.mutations = t.engine.takeBuffer()
	}
	t.mutations = append(t.mutations, m)
}

// writable records the first error of a write. The caller holds mu.
func (t *transaction) writable(err error) error {
	if t.phase != active {
		return engine.ErrUsedDuringCommit
	}
	if err != nil && t.invalid == nil {
		t.invalid = err
	}
	return err
}

// AddReadConflict implements engine.Transaction.
func (t *transaction) AddReadConflict(r engine.Range) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refusal := engine.CheckRange(r)
	if r = shorten(r); t.writable(refusal) != nil || r.Empty() {
		return
	}
	t.addRead(r)
}

// AddWriteConflict implements engine.Transaction.
func (t *transaction) AddWriteConflict(r engine.Range) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refusal := engine.CheckRange(r)
	if r = shorten(r); t.writable(refusal) != nil || r.Empty() {
		return
	}
	t.writes = append(t.writes, r)
	t.size += rangeSize(r)
}

// Watch implements engine.Transaction.
func (t *transaction) Watch(key []byte) engine.Watch {
	w := newWatch(key)
	if err := t.watch(w); err != nil {
		w.end(err)
	}
	return w
}

func (t *transaction) watch(w *watch) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	if err := engine.CheckKey(w.key); err != nil {
		return err
	}
	known := t.known(w.key)
	below := false // whether the value comes from the database
	switch known.at {
	case unreadable:
		return fmt.Errorf("watch of key %.64q: %w", w.key, engine.ErrUnreadable)
	case unmodified, dependent:
		below = true
		if err := t.open(); err != nil {
			return err
		}
	}
	if err := t.engine.keep(w); err != nil {
		return err
	}
	// Until the commit, the watch lives under the transaction's context.
	independent := context.AfterFunc(t.ctx, func() { w.end(fmt.Errorf("watch: %w", t.ctx.Err())) })
	if below {
		t.addReadPoint(w.key)
	}
	t.watches = append(t.watches, armedAt{watch: w, mutations: len(t.mutations), independent: independent})
	return nil
}

// Size implements engine.Transaction.
func (t *transaction) Size() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size
}

// Commit implements engine.Transaction.
func (t *transaction) Commit() error {
	t.mu.Lock()
	c, err := t.prepare()
	t.mu.Unlock()
	var result outcome
	if err == nil && (c.writing() || len(c.watches) > 0) {
		result, err = t.engine.commit(t.ctx, t.backend, c)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settleStamp(c, result, err)
	if err != nil {
		t.failWatches(err)
		return err
	}
	for _, w := range t.watches {
		w.independent()
	}
	t.watches = nil // a later call on this transaction fails, but its watches do not
	// After a success, the backend no longer uses the mutations. After a failure
	// it may: the commit may still be under way.
	t.engine.giveBuffer(t.mutations)
	t.mutations = nil
	t.release()
	if t.phase == committing { // and has not been cancelled meanwhile
		t.phase = committed
	}
	return nil
}

// prepare ends the reading and writing of the attempt. The caller holds mu.
func (t *transaction) prepare() (*commit, error) {
	if err := t.usable(); err != nil {
		if t.phase == active {
			t.phase = committing
		}
		return nil, err
	}
	t.phase = committing
	if t.invalid != nil {
		return nil, t.invalid
	}
	if t.unread != nil {
		return nil, t.unread
	}
	for _, p := range t.pending {
		if err := p.settle(); err != nil {
			return nil, err
		}
	}
	if t.size > engine.MaxTransactionSize {
		return nil, fmt.Errorf("transaction of %d bytes: %w", t.size, engine.ErrTransactionTooLarge)
	}
	c := &commit{mutations: t.mutations, reads: t.reads, writes: t.writes, size: t.size}
	if c.writing() && !t.reads.empty() {
		// If nothing has been read yet, the conflicts count from here on.
		if err := t.open(); err != nil {
			return nil, err
		}
	}
	if t.view != nil {
		c.version = t.view.version()
	}
	for _, w := range t.watches {
		w.changed = touches(t.mutations[w.mutations:], w.key)
		c.watches = append(c.watches, w.watch)
	}
	return c, nil
}

// touches reports whether one of the mutations writes key.
func touches(mutations []mutation, key []byte) bool {
	for _, m := range mutations {
		switch m.op {
		case opClearRange:
			if (engine.Range{Begin: m.key, End: m.value}).Contains(key) {
				return true
			}
		case engine.OpVersionstampedKey:
			if stampedKeys(m.key, 0).Contains(key) {
				return true
			}
		default:
			if bytes.Equal(m.key, key) {
				return true
			}
		}
	}
	return false
}

// OnError implements engine.Transaction.
func (t *transaction) OnError(err error) error {
	t.mu.Lock()
	switch {
	case t.phase == cancelled:
		t.mu.Unlock()
		return engine.ErrCancelled
	case t.phase == committed:
		t.mu.Unlock()
		return engine.ErrUsedDuringCommit
	}
	t.mu.Unlock()
	if ended := t.ctx.Err(); ended != nil {
		if errors.Is(err, ended) {
			return err
		}
		return fmt.Errorf("%w (after: %w)", ended, err)
	}
	if !engine.Retryable(err) {
		return err
	}

	t.mu.Lock()
	t.abandon(err)
	t.attempt = attempt{number: t.number + 1}
	t.mu.Unlock()

	pause := t.pause/2 + rand.N(t.pause/2+1)
	t.pause = min(2*t.pause, lastPause)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.ctx.Done():
		return fmt.Errorf("%w (after: %w)", t.ctx.Err(), err)
	}
}

// Cancel implements engine.Transaction.
func (t *transaction) Cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phase == committed || t.phase == cancelled {
		return
	}
	t.abandon(engine.ErrCancelled)
	t.phase = cancelled
}

// abandon releases everything the attempt holds. The caller holds mu.
func (t *transaction) abandon(err error) {
	t.failWatches(err)
	if t.stamp != nil {
		t.stamp.settle(engine.Stamp{}, err)
	}
	t.release()
}

func (t *transaction) failWatches(err error) {
	for _, w := range t.watches {
		w.independent()
		w.end(fmt.Errorf("watch of a transaction that did not commit: %w", err))
	}
	t.watches = nil
}

func (t *transaction) release() {
	if t.view != nil {
		t.view.release()
	}
	t.view = nil
	t.pending = nil
}

// Versionstamp implements engine.Transaction.
func (t *transaction) Versionstamp() engine.Future[engine.Stamp] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return failed[engine.Stamp](err)
	}
	if t.stamp == nil {
		t.stamp = &stampFuture{done: make(chan struct{})}
	}
	return t.stamp
}

// settleStamp resolves the versionstamp after a commit. The caller holds mu.
func (t *transaction) settleStamp(c *commit, result outcome, err error) {
	if t.stamp == nil {
		return
	}
	if err == nil && !c.writing() {
		err = engine.ErrNoCommitVersion
	}
	t.stamp.settle(makeStamp(result.version, result.index), err)
}

// stampFuture is resolved by the commit of its attempt, or by the attempt's end.
type stampFuture struct {
	once  sync.Once
	done  chan struct{}
	stamp engine.Stamp
	err   error
}

func (f *stampFuture) settle(stamp engine.Stamp, err error) {
	f.once.Do(func() {
		f.stamp, f.err = stamp, err
		close(f.done)
	})
}

// Get implements engine.Future.
func (f *stampFuture) Get() (engine.Stamp, error) {
	<-f.done
	return f.stamp, f.err
}
