package fdblayer

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// CheckpointInfo is a reader's stored position.
type CheckpointInfo struct {
	Name     string
	Position fdbevents.Position
}

// Checkpoint is the position stored under a name, Start when there is none. A
// reader goes on after it.
func (s *Store) Checkpoint(ctx context.Context, name string) (at fdbevents.Position, err error) {
	if err := fdbevents.ValidateName("checkpoint name", name, fdbevents.MaxName); err != nil {
		return fdbevents.Start, err
	}
	err = s.view(ctx, func(r Reader) error {
		value, err := r.Get(s.keys.Checkpoint(name)).Get()
		if err != nil {
			return err
		}
		at, err = layout.DecodePlace(value)
		return err
	})
	if err != nil {
		return fdbevents.Start, fmt.Errorf("reading checkpoint %q: %w", name, err)
	}
	return at, nil
}

// SetCheckpoint stores a position under a name of 1 to MaxName bytes, whatever
// was there: nothing keeps two readers of one name apart. It returns an
// *InvalidError for a position that this store has not come to.
func (s *Store) SetCheckpoint(ctx context.Context, name string, at fdbevents.Position) error {
	if err := fdbevents.ValidateName("checkpoint name", name, fdbevents.MaxName); err != nil {
		return err
	}
	if at == fdbevents.End {
		return &fdbevents.InvalidError{What: "position", Value: at.String(), Reason: "End is no place to go on from; store the position of an event"}
	}
	_, err := s.Transact(ctx, func(tx *Tx) error {
		if err := checkPosition(tx.tr, at); err != nil {
			return err
		}
		tx.write().Set(s.keys.Checkpoint(name), layout.AppendPlace(nil, at))
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing checkpoint %q: %w", name, err)
	}
	return nil
}

// DeleteCheckpoint removes a checkpoint, if present: its reader begins at Start.
func (s *Store) DeleteCheckpoint(ctx context.Context, name string) error {
	if err := fdbevents.ValidateName("checkpoint name", name, fdbevents.MaxName); err != nil {
		return err
	}
	_, err := s.Transact(ctx, func(tx *Tx) error {
		tx.write().Clear(s.keys.Checkpoint(name))
		return nil
	})
	if err != nil {
		return fmt.Errorf("deleting checkpoint %q: %w", name, err)
	}
	return nil
}

// Checkpoints yields all checkpoints in the order of their names. Pages are
// separate transactions.
func (s *Store) Checkpoints(ctx context.Context) iter.Seq2[CheckpointInfo, error] {
	return func(yield func(CheckpointInfo, error) bool) {
		for kv, err := range s.Door().Scan(ctx, s.keys.Checkpoints()) {
			if err != nil {
				yield(CheckpointInfo{}, fmt.Errorf("listing checkpoints: %w", err))
				return
			}
			var at fdbevents.Position
			name, err := s.keys.ParseCheckpoint(kv.Key)
			if err == nil {
				at, err = layout.DecodePlace(kv.Value)
			}
			if err != nil {
				err = fmt.Errorf("checkpoint %q: %w", name, err)
			}
			if !yield(CheckpointInfo{name, at}, err) || err != nil {
				return
			}
		}
	}
}

const (
	defaultCheckpointInterval = time.Second
	// lastWords is how long a subscription whose context has ended may take to
	// store its place.
	lastWords = time.Second
)

// SubscribeFrom is a Subscribe that keeps its own place: it begins after the
// checkpoint of that name, and stores there how far the consumer has come, every
// CheckpointInterval of o while that moves, and when it ends, also because ctx
// does. An event counts as consumed when the loop body has gone through it; with
// a break, or after a crash, the event is delivered again: at least once. What o
// does not select is passed over for good.
func (s *Store) SubscribeFrom(ctx context.Context, name string, o SubscribeOptions) iter.Seq2[fdbevents.Event, error] {
	return func(yield func(fdbevents.Event, error) bool) {
		at, err := s.Checkpoint(ctx, name)
		if err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		k := &checkpointer{store: s, name: name, interval: o.CheckpointInterval, stored: at, done: at, last: time.Now()}
		if k.interval <= 0 {
			k.interval = defaultCheckpointInterval
		}
		k.timer = time.NewTimer(k.interval)
		defer k.timer.Stop()
		broke := false
		sub := subscription{store: s, options: o, at: at}
		sub.consumer = consumer{
			event: func(ev *fdbevents.Event) bool {
				if broke = !yield(*ev, nil); broke {
					return false
				}
				k.done = ev.Position
				return k.saveIfDue(ctx)
			},
			through: func(at fdbevents.Position, _ bool) bool {
				k.done = at
				return k.saveIfDue(ctx)
			},
			alarm: k.timer.C,
			alarmed: func() bool {
				k.timer.Reset(k.interval)
				return k.save(ctx)
			},
		}
		err = sub.run(ctx)
		if err == nil && k.err != nil {
			if err = k.err; ctx.Err() != nil {
				err = context.Cause(ctx)
			}
		}
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		k.save(short)
		if err != nil && !broke {
			yield(fdbevents.Event{}, err)
		}
	}
}

// keeper stores how far a subscription's consumer has come.
type checkpointer struct {
	store    *Store
	name     string
	interval time.Duration
	// timer fires when a subscription that waits may have something to store.
	timer *time.Timer
	// done is how far the consumer has come, stored what of that is stored, last
	// when that was looked at.
	done, stored fdbevents.Position
	last         time.Time
	err          error
}

// saveIfDue saves if it is time, and reports whether the subscription can go on.
func (k *checkpointer) saveIfDue(ctx context.Context) bool {
	return time.Since(k.last) < k.interval || k.save(ctx)
}

func (k *checkpointer) save(ctx context.Context) bool {
	if k.done != k.stored {
		if k.err = k.store.SetCheckpoint(ctx, k.name, k.done); k.err == nil {
			k.stored = k.done
		}
	}
	k.last = time.Now()
	return k.err == nil
}
