package fdblayer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// ProjectOptions say what a projection is made of. The zero value projects every event.
type ProjectOptions struct {
	// Filter selects the events to project.
	Filter fdbevents.Filter
	// Generation numbers the handler together with its filter. Raise it when either
	// changes: the view is then rebuilt from the start of the log, while readers see
	// the old one until the new one has caught up. Runners of an earlier generation end
	// with ErrProjectionRebuilt.
	Generation int64
	// CaughtUp, if not nil, is called each time the view has everything that was in the
	// log and the projection turns live. It runs on the goroutine of Project.
	CaughtUp func()
}

// Project runs handler for the selected events of the log, in order and in batches,
// until ctx ends or the handler fails. Each batch is one transaction: it holds what the
// handler writes through tx (with tx.View of this name, or in any other way) and the
// position that the projection has reached. The handler's writes therefore happen
// exactly once for each event, whatever fails and however many processes run the same
// projection: one of them makes progress; the others stand by and take over.
//
// The rules of Transact apply to the handler: it may run again for a batch that was not
// committed, it must have no effect except through tx, and it has 5 seconds. A batch
// that is too large or too slow is cut in half. The events belong to the handler only
// until it returns.
//
// The name has 1 to MaxName bytes. The error is never nil: it is ctx's, ErrClosed,
// ErrProjectionRebuilt, or the handler's error with the positions of its batch, of
// which nothing is kept then.
func (s *Store) Project(ctx context.Context, name string, o ProjectOptions, handler func(ctx context.Context, tx *Tx, events []fdbevents.Event) error) error {
	r := &projector{store: s, name: name, options: o, handler: handler, size: maxProjected}
	err := r.check()
	if err == nil {
		err = r.run(ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("projection %q: %w", name, err)
}

const (
	// maxProjected and maxProjectedBytes bound a batch: large enough to spread the cost
	// of a commit, and far from the limits of a transaction.
	maxProjected      = 500
	maxProjectedBytes = 1 << 20
	// lazyProgress is how long a projection gathers a batch, and how long it waits
	// before it stores that it has passed over events that it does not select.
	lazyProgress = time.Second
	// standBy is how long another runner must have made no progress before this one
	// tries.
	standBy = time.Second
	// slowAttempts is how many times the handler may take too long for a single event.
	slowAttempts = 10
)

// projector is the state of one Project. All of it belongs to the goroutine of Project.
type projector struct {
	store   *Store
	name    string
	options ProjectOptions
	handler func(ctx context.Context, tx *Tx, events []fdbevents.Event) error

	// at is the position that this generation has reached according to the store. Each
	// batch compares it, which keeps runners of the same projection apart.
	at fdbevents.Position
	// building is true while readers see an earlier generation.
	building bool
	// batch gathers events after at. The first owned of them share no memory with a
	// page. bytes is the size of their data and metadata.
	batch []fdbevents.Event
	owned int
	bytes int
	// size is the most events that a batch may have at present.
	size int
	// written is when the position was last stored.
	written time.Time
	// err is the reason for which the subscription was stopped.
	err error
}

var (
	errMoved = errors.New("another runner has made progress")
	errSplit = errors.New("batch takes too long")
)

// handlerError is an error that the handler returned.
type handlerError struct{ error }

func (e *handlerError) Unwrap() error { return e.error }

func (r *projector) check() error {
	if err := fdbevents.ValidateName("projection name", r.name, fdbevents.MaxName); err != nil {
		return err
	}
	if g := r.options.Generation; g < 0 {
		return &fdbevents.InvalidError{What: "generation", Value: fmt.Sprint(g), Reason: "want 0 or more"}
	}
	return r.options.Filter.Validate()
}

// run alternates between making progress and standing by.
func (r *projector) run(ctx context.Context) error {
	for {
		err := r.begin(ctx)
		if err == nil {
			err = r.follow(ctx)
		}
		if errors.Is(err, errMoved) {
			err = r.standBy(ctx)
		}
		failed := (*handlerError)(nil)
		switch {
		case err == nil:
		case errors.Is(err, fdbevents.ErrOutcomeUnknown) && !errors.As(err, &failed) && ctx.Err() == nil:
			// begin reads from the store whether the batch is in.
		default:
			return err
		}
	}
}

// begin reads the position that this generation has reached, and creates the generation
// if it is new.
func (r *projector) begin(ctx context.Context) error {
	s, own := r.store, r.options.Generation
	_, err := s.Transact(ctx, func(tx *Tx) error {
		r.at, r.building = fdbevents.Start, false
		p, err := tx.projection(r.name)
		write := func() {
			tx.write().Set(s.keys.Projection(r.name), layout.AppendProjection(nil, p))
		}
		switch {
		case errors.Is(err, fdbevents.ErrProjectionNotFound):
			p = layout.Projection{Current: own, Building: layout.NoGeneration}
			write()
			return nil
		case err != nil:
			return err
		case own < p.Current || own != p.Current && own < p.Building:
			return fmt.Errorf("%w (it has generation %d, this is %d)", fdbevents.ErrProjectionRebuilt, max(p.Current, p.Building), own)
		case own > max(p.Current, p.Building):
			if p.Building != layout.NoGeneration {
				tx.write().ClearRange(s.keys.WholeGeneration(r.name, p.Building))
			}
			p.Building, r.building = own, true
			write()
			return nil
		}
		r.building = own == p.Building
		r.at, err = awaitPlace(tx.tr.Get(s.keys.Generation(r.name, own)))
		return err
	})
	r.written = time.Now()
	return err
}

// follow makes progress until something stops it.
func (r *projector) follow(ctx context.Context) error {
	r.batch, r.owned, r.bytes, r.err = nil, 0, 0, nil
	sub := subscription{
		store:   r.store,
		options: SubscribeOptions{Filter: r.options.Filter},
		at:      r.at,
		consumer: consumer{
			event:    func(ev *fdbevents.Event) bool { return r.take(ctx, ev) },
			through:  func(at fdbevents.Position, more bool) bool { return r.through(ctx, at, more) },
			caughtUp: func(at fdbevents.Position) bool { return r.caughtUp(ctx, at) },
		},
	}
	if err := sub.run(ctx); err != nil {
		return err
	}
	return r.err
}

// standBy returns once other runners have made no progress for a while.
func (r *projector) standBy(ctx context.Context) error {
	pause := time.NewTimer(standBy)
	defer pause.Stop()
	for before := r.at; ; before = r.at {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.store.ctx.Done():
			return fdbevents.ErrClosed
		}
		if err := r.begin(ctx); err != nil || r.at == before {
			return err
		}
		pause.Reset(standBy)
	}
}

// take adds a selected event to the batch, and flushes a full batch.
func (r *projector) take(ctx context.Context, ev *fdbevents.Event) bool {
	r.batch = append(r.batch, *ev)
	r.bytes += len(ev.Data) + len(ev.Metadata)
	if len(r.batch) < r.size && r.bytes < maxProjectedBytes {
		return true
	}
	return r.flush(ctx, ev.Position)
}

// through is called when every event up to at has been delivered. It flushes the batch
// if that is due.
func (r *projector) through(ctx context.Context, at fdbevents.Position, more bool) bool {
	due := time.Since(r.written) >= lazyProgress
	switch {
	case len(r.batch) > 0 && (due || !more), due && r.at.Before(at):
		if !r.flush(ctx, at) {
			return false
		}
	default:
		r.own()
	}
	return more || !r.building || r.change(ctx, at)
}

// own separates the batch from the memory of its pages, because a single event would
// keep all of its page alive.
func (r *projector) own() {
	for ; r.owned < len(r.batch); r.owned++ {
		ev := &r.batch[r.owned]
		ev.Data, ev.Metadata = bytes.Clone(ev.Data), bytes.Clone(ev.Metadata)
	}
}

// caughtUp is called when the subscription turns live.
func (r *projector) caughtUp(ctx context.Context, at fdbevents.Position) bool {
	if len(r.batch) > 0 && !r.flush(ctx, at) || r.building && !r.change(ctx, at) {
		return false
	}
	if r.options.CaughtUp != nil {
		r.options.CaughtUp()
	}
	return true
}

// flush hands the batch to the handler. Every event up to at has then been projected.
func (r *projector) flush(ctx context.Context, at fdbevents.Position) bool {
	left := r.batch
	for first := true; first || len(left) > 0; first = false {
		n := min(len(left), r.size)
		events, to := left[:n], at
		if n < len(left) {
			to = events[n-1].Position
		}
		err := r.commit(ctx, events, to)
		switch {
		case err == nil:
			left = left[n:]
			r.size = min(maxProjected, r.size+r.size/16+1)
		case n > 1 && tooMuch(err):
			r.size = n / 2
		default:
			if n > 0 && !errors.Is(err, errMoved) && !errors.Is(err, fdbevents.ErrProjectionRebuilt) {
				err = fmt.Errorf("events at %s to %s: %w", events[0].Position, events[n-1].Position, err)
			}
			r.err = err
			return false
		}
	}
	clear(r.batch)
	r.batch, r.owned, r.bytes = r.batch[:0], 0, 0
	return true
}

// tooMuch reports whether a smaller batch may succeed.
func tooMuch(err error) bool {
	var limit *fdbevents.LimitError
	return errors.Is(err, errSplit) || errors.Is(err, engine.ErrTransactionTooLarge) || errors.As(err, &limit)
}

// commit carries out one batch in one transaction.
func (r *projector) commit(ctx context.Context, events []fdbevents.Event, to fdbevents.Position) error {
	var took time.Duration // how long the handler took in the previous attempt
	slow := 0
	_, err := r.store.Transact(ctx, func(tx *Tx) error {
		// An attempt that was too slow would be too slow again, for ever. A single event
		// gets more attempts, because it may be the engine that is slow.
		if took > engine.MaxTransactionAge/2 {
			if slow++; len(events) > 1 {
				return errSplit
			} else if slow == slowAttempts {
				return fmt.Errorf("the handler took %s, %d times in a row, but a transaction has only %s", took.Round(time.Millisecond), slow, engine.MaxTransactionAge)
			}
		}
		took = 0
		if err := r.compare(tx); err != nil {
			return err
		}
		if len(events) > 0 {
			tx.own = ownView{r.name, r.options.Generation}
			began := time.Now()
			err := r.handler(ctx, tx, events)
			if took = time.Since(began); err != nil {
				return &handlerError{err}
			}
		}
		r.write(tx, to)
		return nil
	})
	if err == nil {
		r.at, r.written = to, time.Now()
	}
	return err
}

// compare is the fence. It returns an error unless the store agrees with this runner
// about its generation and the position that it has reached, and makes the transaction
// fail if either changes before the commit.
func (r *projector) compare(tx *Tx) error {
	own := r.options.Generation
	position := tx.tr.Get(tx.store.keys.Generation(r.name, own))
	p, err := tx.projection(r.name)
	switch {
	case errors.Is(err, fdbevents.ErrProjectionNotFound):
		return fdbevents.ErrProjectionRebuilt
	case err != nil:
		return err
	case own != p.Current && own != p.Building:
		return fmt.Errorf("%w (it has generation %d, this is %d)", fdbevents.ErrProjectionRebuilt, p.Current, own)
	}
	r.building = own == p.Building
	at, err := awaitPlace(position)
	if err == nil && at != r.at {
		err = errMoved
	}
	return err
}

// write stores the position that this generation has reached.
func (r *projector) write(tx *Tx, at fdbevents.Position) {
	tx.write().Set(tx.store.keys.Generation(r.name, r.options.Generation), layout.AppendPlace(nil, at))
}

// change replaces the current generation with the one being built, which has projected
// every event up to at. It does nothing if the current one is further on: a reader
// never sees the view step back.
func (r *projector) change(ctx context.Context, at fdbevents.Position) bool {
	own := r.options.Generation
	changed := false
	_, err := r.store.Transact(ctx, func(tx *Tx) error {
		changed = false
		if err := r.compare(tx); err != nil || !r.building {
			return err
		}
		p, err := tx.projection(r.name)
		if err != nil {
			return err
		}
		current, err := awaitPlace(tx.tr.Get(tx.store.keys.Generation(r.name, p.Current)))
		if err != nil || at.Before(current) {
			return err
		}
		tx.write().ClearRange(tx.store.keys.WholeGeneration(r.name, p.Current))
		tx.write().Set(tx.store.keys.Projection(r.name), layout.AppendProjection(nil, layout.Projection{Current: own, Building: layout.NoGeneration}))
		r.write(tx, at)
		changed = true
		return nil
	})
	if err != nil {
		r.err = err
		return false
	}
	if changed {
		r.at, r.building, r.written = at, false, time.Now()
	}
	return true
}
