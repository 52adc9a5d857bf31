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

// ProjectOptions select what a projection is made of. The zero value projects
// everything.
type ProjectOptions struct {
	// Filter selects the events to project.
	Filter fdbevents.Filter
	// Generation numbers the handler and what it selects. Raise it when either
	// changes: the view is then built anew from the start of the log, while readers
	// see the old one until the new one has caught up. Generations below the
	// present one end with ErrProjectionRebuilt.
	Generation int64
	// CaughtUp, when not nil, is called each time the view has everything that was
	// there, and the projection turns live. It runs on the goroutine of Project.
	CaughtUp func()
}

// Project runs handler for the selected events of the log, in order and in
// batches, until ctx ends or the handler fails. Each batch is one transaction:
// what the handler writes through tx (tx.View of this name, and anything else),
// and how far the projection has come. So its writes happen exactly once for
// each event, whatever fails, and however many processes run the same projection:
// one of them makes progress, the others stand by and take over.
//
// The handler is bound by the rules of Transact: it may be run again for a batch
// that was not committed, must have no effect but through tx, and has 5 seconds.
// A batch that is too large or too slow is cut in halves. The events are the
// handler's only until it returns.
//
// The name has 1 to MaxName bytes. The error is never nil: ctx's, ErrClosed,
// ErrProjectionRebuilt, or that of the handler with the positions of its batch, of
// which then nothing is kept.
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
	// maxProjected and maxProjectedBytes bound a batch: enough to spread the cost
	// of a commit, and far from the limits of a transaction.
	maxProjected      = 500
	maxProjectedBytes = 1 << 20
	// lazyProgress is how seldom a projection writes down that it has passed over
	// events that are none of its own, and how long it gathers a batch.
	lazyProgress = time.Second
	// standBy is how long another runner must have made no progress before this
	// one tries.
	standBy = time.Second
	// slowAttempts is how often the handler may take too long for a single event.
	slowAttempts = 10
)

// projector is a Project under way.
type projector struct {
	store   *Store
	name    string
	options ProjectOptions
	handler func(ctx context.Context, tx *Tx, events []fdbevents.Event) error

	// at is what the store says of how far this generation has come. Each batch
	// compares it, which keeps runners of the same projection apart.
	at fdbevents.Position
	// building is true while readers see an earlier generation.
	building bool
	// batch gathers events after at; owned of them share no memory with a page.
	batch []fdbevents.Event
	owned int
	bytes int
	// size is how many events a batch may have for now.
	size int
	// written is when the store was last told how far this has come.
	written time.Time
	// err is why the subscription was stopped.
	err error
}

var (
	errMoved = errors.New("another runner has made progress")
	errSplit = errors.New("batch takes too long")
)

// handlerError is an error of the handler.
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
			// The store knows whether the batch is in.
		default:
			return err
		}
	}
}

// begin reads where this generation has come to. It is made if it is new.
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

// follow makes progress until something is in the way.
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

// standBy returns when others have made no progress for a while.
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

// take gathers a selected event.
func (r *projector) take(ctx context.Context, ev *fdbevents.Event) bool {
	r.batch = append(r.batch, *ev)
	r.bytes += len(ev.Data) + len(ev.Metadata)
	if len(r.batch) < r.size && r.bytes < maxProjectedBytes {
		return true
	}
	return r.flush(ctx, ev.Position)
}

// through learns that all events up to position at have come by.
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

// own parts the batch from the memory of its pages: one event would keep all of
// its page.
func (r *projector) own() {
	for ; r.owned < len(r.batch); r.owned++ {
		ev := &r.batch[r.owned]
		ev.Data, ev.Metadata = bytes.Clone(ev.Data), bytes.Clone(ev.Metadata)
	}
}

func (r *projector) caughtUp(ctx context.Context, at fdbevents.Position) bool {
	if len(r.batch) > 0 && !r.flush(ctx, at) || r.building && !r.change(ctx, at) {
		return false
	}
	if r.options.CaughtUp != nil {
		r.options.CaughtUp()
	}
	return true
}

// flush hands the batch to the handler, after which all up to position at has
// been projected.
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
	var took time.Duration // the handler, in the attempt before
	slow := 0
	_, err := r.store.Transact(ctx, func(tx *Tx) error {
		// An attempt that failed for being slow would do so again, for ever. A single
		// event gets more of them: the engine may be what is slow.
		if took > engine.MaxTransactionAge/2 {
			if slow++; len(events) > 1 {
				return errSplit
			} else if slow == slowAttempts {
				return fmt.Errorf("the handler took %s, %d times in a row, and a transaction has %s", took.Round(time.Millisecond), slow, engine.MaxTransactionAge)
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

// compare is the fence: it returns an error unless the store says of this
// generation what this runner believes, and makes the transaction fail if that
// changes before it commits.
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

// write says that this generation has come to a position.
func (r *projector) write(tx *Tx, at fdbevents.Position) {
	tx.write().Set(tx.store.keys.Generation(r.name, r.options.Generation), layout.AppendPlace(nil, at))
}

// change puts the generation that is being built, and has projected all up to
// position at, into the place of the current one, unless that has come further: a
// reader never sees the view step back.
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
