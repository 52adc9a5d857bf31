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

// Door is the way to the engine while the store is open. Everything but the commits of
// appends, which go through a marker, uses it. It is exported for the packages of this
// module that keep keys next to the store's own, as consumer groups do, and for the
// check; they get it from [Store.Door]. Applications use [Store.Transact].
//
// Its methods return ErrClosed after Close, and Close waits for calls under way. A Door
// is safe for concurrent use.
type Door struct {
	store *Store
	// resident is true for the door of a goroutine that Close waits for. It stays open
	// until that goroutine has left.
	resident bool
}

// Door returns the store's door.
func (s *Store) Door() Door { return Door{store: s} }

// Reader reads the store at one version, without conflicts. It is valid only during the
// attempt that it was made for.
type Reader struct {
	engine.Reader
	// tr gives the read version; Reader is its snapshot view.
	tr engine.Transaction
}

// newReader returns the snapshot view of a transaction.
func newReader(tr engine.Transaction) Reader { return Reader{tr.Snapshot(), tr} }

// ReadVersion returns the version that all reads see.
func (r Reader) ReadVersion() engine.Future[int64] { return r.tr.ReadVersion() }

// View runs fn with a reader, and runs it again after errors of the engine that allow
// it. fn must await everything that it reads, return the errors of its reads, and keep
// nothing from an earlier attempt.
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

// Update runs fn and commits what it writes, and does so again after errors of the
// engine that allow it; engine.Run explains prior. fn may run again after an attempt
// that was in fact committed, so each attempt must decide anew what to write.
func (d Door) Update(ctx context.Context, fn func(tr engine.Transaction, prior error) error) error {
	return d.through(func() error {
		return engine.Run(ctx, d.store.engine, func(tr engine.Transaction, prior error) error {
			d.store.retried(prior)
			return fn(tr, prior)
		})
	})
}

// scanBytes is the approximate size of the pages of a Scan.
const scanBytes = 512 << 10

// Scan yields the keys of a range in order. Its pages are separate transactions. It
// yields at most one error, as its last element.
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

// watch is View for an fn that also arms watches. A watch fires when its key no longer
// has the value that fn's reader saw. Watches of an earlier attempt are worthless.
func (d Door) watch(ctx context.Context, fn func(r Reader, arm func(key []byte) engine.Watch) error) error {
	return d.Update(ctx, func(tr engine.Transaction, _ error) error { return fn(newReader(tr), tr.Watch) })
}

// Stay registers a goroutine of the caller, for which Close then waits until it calls
// leave, exactly once. The door own stays open until then. ctx ends when the goroutine
// should leave, which is after all calls that Close waits for.
func (d Door) Stay() (own Door, ctx context.Context, leave func(), err error) {
	s := d.store
	if err := s.enter(&s.workers); err != nil {
		return Door{}, nil, nil, err
	}
	return Door{store: s, resident: true}, s.ctx, s.workers.Done, nil
}

// Keys returns what builds and parses the store's keys.
func (d Door) Keys() layout.Keys { return d.store.keys }

// Partitions returns the number of partitions of the log.
func (d Door) Partitions() int { return d.store.header.Partitions }

// PartitionOf returns the partition of a stream's events.
func (d Door) PartitionOf(stream string) int { return d.store.partitionOf(stream) }

// InlineLimit returns the largest record, in bytes, that is also kept in its stream.
func (d Door) InlineLimit() int { return d.store.header.InlineLimit }

// Trouble reports an error that a goroutine survives; see Hooks. what says what was
// being done.
func (d Door) Trouble(what string, err error) { d.store.trouble(what, err) }

// CheckPosition returns the position to begin after: p, or the present end of the log
// if p is End. It returns an *InvalidError for a position that the store has not
// reached.
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

// through runs a call for which Close waits.
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

// translate wraps an engine's error in the matching error of the root package, if there
// is one.
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

// enter adds the caller to wg unless the store is closed. Every successful enter needs
// a wg.Done.
func (s *Store) enter(wg *sync.WaitGroup) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fdbevents.ErrClosed
	}
	wg.Add(1)
	return nil
}

// refuseAhead refuses a position that a store at this version cannot have handed out.
// It accepts End.
func refuseAhead(p fdbevents.Position, version int64) error {
	if p != fdbevents.End && layout.LastOfVersion(version).Before(p) {
		return &fdbevents.InvalidError{What: "position", Value: p.String(), Reason: "is ahead of this store, so it must come from another one; use a position of this store, or start or end"}
	}
	return nil
}

// checkPosition refuses a position that must come from another store, because this one
// has not reached it.
func checkPosition(r Versioned, p fdbevents.Position) error {
	version, err := r.ReadVersion().Get()
	if err != nil {
		return err
	}
	return refuseAhead(p, version)
}

// Versioned is a [Reader] or a transaction.
type Versioned interface {
	ReadVersion() engine.Future[int64]
}
