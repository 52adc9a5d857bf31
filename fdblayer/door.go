package fdblayer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// Door is the way to the engine while the store is open, and the only one but for the
// commits of appends, which go through a marker. Packages that live over a store, and
// whose keys stand beside its own, come in through [Store.Door]: consumer groups, the
// check. Applications use [Store.Transact].
//
// Its methods return ErrClosed after Close, and Close waits for calls under way. They
// may be called from any number of goroutines.
type Door struct {
	store *Store
	// resident doors are of goroutines that Close waits for. Close does not shut them.
	resident bool
}

// Door is the store's.
func (s *Store) Door() Door { return Door{store: s} }

// Reader reads the store at one version, without conflicts.
type Reader struct {
	engine.Reader
	tr engine.Transaction
}

// newReader is the snapshot view of a transaction.
func newReader(tr engine.Transaction) Reader { return Reader{tr.Snapshot(), tr} }

// ReadVersion is the version that all reads see.
func (r Reader) ReadVersion() engine.Future[int64] { return r.tr.ReadVersion() }

// View runs fn with a reader, again and again while the engine's errors allow. fn
// awaits all that it reads, returns the errors of reads, and keeps nothing from an
// earlier attempt.
func (d Door) View(ctx context.Context, fn func(r Reader) error) error {
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

// Update runs fn and commits what it writes, again and again while the engine's
// errors allow; see engine.Run for prior. fn may run once more after an attempt
// that was committed, so it decides anew what to write.
func (d Door) Update(ctx context.Context, fn func(tr engine.Transaction, prior error) error) error {
	return d.through(func() error {
		return engine.Run(ctx, d.store.engine, func(tr engine.Transaction, prior error) error {
			d.store.retried(prior)
			return fn(tr, prior)
		})
	})
}

// scanBytes is about how large the pages of a Scan are.
const scanBytes = 512 << 10

// Scan yields the keys of a range in order. Pages are separate transactions. It yields
// one error, and then nothing more.
func (d Door) Scan(ctx context.Context, r engine.Range) iter.Seq2[engine.KeyValue, error] {
	return func(yield func(engine.KeyValue, error) bool) {
		for more := !r.Empty(); more; {
			var p engine.Page
			err := d.View(ctx, func(at Reader) (err error) {
				p, err = at.GetRange(r, engine.RangeOptions{Bytes: scanBytes}).Get()
				return err
			})
			if err != nil {
				yield(engine.KeyValue{}, err)
				return
			}
			for _, kv := range p.KeyValues {
				if !yield(kv, nil) {
					return
				}
			}
			if more = p.More; more {
				r.Begin = layout.After(p.KeyValues[len(p.KeyValues)-1].Key)
			}
		}
	}
}

// watch is View for an fn that also arms watches. They fire when a key no longer
// has the value that fn's reader sees. What fn keeps of an earlier attempt's
// watches is worthless.
func (d Door) watch(ctx context.Context, fn func(r Reader, arm func(key []byte) engine.Watch) error) error {
	return d.Update(ctx, func(tr engine.Transaction, _ error) error { return fn(newReader(tr), tr.Watch) })
}

// Stay lets a goroutine of the caller's in until it calls leave, once: Close waits for
// it. Its own door stays open until then. ctx ends when it is time to leave, after all
// calls that Close waits for.
func (d Door) Stay() (own Door, ctx context.Context, leave func(), err error) {
	s := d.store
	if err := s.enter(&s.workers); err != nil {
		return Door{}, nil, nil, err
	}
	return Door{store: s, resident: true}, s.ctx, s.workers.Done, nil
}

// Keys builds and parses the store's keys.
func (d Door) Keys() layout.Keys { return d.store.keys }

// Partitions is the number of partitions of the log.
func (d Door) Partitions() int { return d.store.header.Partitions }

// PartitionOf is the partition of a stream's events.
func (d Door) PartitionOf(stream string) int { return d.store.partitionOf(stream) }

// InlineLimit is the largest record, in bytes, that is also kept in its stream.
func (d Door) InlineLimit() int { return d.store.header.InlineLimit }

// Trouble reports an error that a goroutine survives, see Hooks.
func (d Door) Trouble(what string, err error) { d.store.trouble(what, err) }

// CheckPosition refuses a position that the store has not come to, and returns the one
// to begin after: the end as it is now in the place of End.
func (d Door) CheckPosition(r Versioned, p fdbevents.Position) (fdbevents.Position, error) {
	version, err := r.ReadVersion().Get()
	if err == nil {
		err = refuseAhead(p, version)
	}
	if err == nil && p == fdbevents.End {
		p = layout.LastOfVersion(version)
	}
	return p, err
}

func (s *Store) view(ctx context.Context, fn func(r Reader) error) error {
	return s.Door().View(ctx, fn)
}

func (s *Store) update(ctx context.Context, fn func(tr engine.Transaction, prior error) error) error {
	return s.Door().Update(ctx, fn)
}

// through runs a call while Close waits for it.
func (d Door) through(call func() error) error {
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
func checkPosition(r Versioned, p fdbevents.Position) error {
	version, err := r.ReadVersion().Get()
	if err != nil {
		return err
	}
	return refuseAhead(p, version)
}

// Versioned is a [Reader], or a transaction.
type Versioned interface {
	ReadVersion() engine.Future[int64]
}
