package fdblayer

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// CheckpointInfo is a checkpoint: the position that a reader stored under a name.
type CheckpointInfo struct {
	Name     string
	Position fdbevents.Position
}

// Checkpoint returns the position stored under a name, or Start if there is none. A
// reader resumes after this position.
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

// SetCheckpoint stores a position under a name of 1 to MaxName bytes and replaces
// whatever was there. It does not keep two readers with the same name apart. It returns
// an *InvalidError for End and for a position that this store has not reached.
func (s *Store) SetCheckpoint(ctx context.Context, name string, at fdbevents.Position) error {
	if err := fdbevents.ValidateName("checkpoint name", name, fdbevents.MaxName); err != nil {
		return err
	}
	if at == fdbevents.End {
		return &fdbevents.InvalidError{What: "position", Value: at.String(), Reason: "End is not a place to resume from; store the position of an event"}
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

// DeleteCheckpoint removes a checkpoint if there is one. Its reader then begins at
// Start.
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

// Checkpoints yields all checkpoints in the order of their names. Its pages are
// separate transactions. It yields at most one error, as its last element.
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
	// lastWords is how long a subscription may take to store its place after its
	// context has ended.
	lastWords = time.Second
)

// SubscribeFrom is a Subscribe that keeps its place: it begins after the checkpoint
// with this name and stores the consumer's position there, every CheckpointInterval of
// o while it moves, and once more at the end, even if ctx has ended. An event counts as
// consumed when the loop body has finished with it. After a break in the loop body, or
// a crash, the event is delivered again: delivery is at least once. Events that o does
// not select are passed over for good.
func (s *Store) SubscribeFrom(ctx context.Context, name string, o SubscribeOptions) iter.Seq2[fdbevents.Event, error] {
	return func(yield func(fdbevents.Event, error) bool) {
		at, err := s.Checkpoint(ctx, name)
		if err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		k := &checkpointer{store: s, name: name, interval: o.CheckpointInterval, stored: at, consumed: at, lastSave: time.Now()}
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
				k.consumed = ev.Position
				return k.saveIfDue(ctx)
			},
			through: func(at fdbevents.Position, _ bool) bool {
				k.consumed = at
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

// checkpointer stores the position of a subscription's consumer. All of it belongs to
// the consumer's goroutine.
type checkpointer struct {
	store    *Store
	name     string
	interval time.Duration
	// timer fires when a waiting subscription may have something to store.
	timer *time.Timer
	// consumed is the consumer's position, stored the last one written, lastSave the
	// time of the last save. err is the error of the last write.
	consumed, stored fdbevents.Position
	lastSave         time.Time
	err              error
}

// saveIfDue saves if the interval has passed, and reports whether the subscription can
// continue.
func (k *checkpointer) saveIfDue(ctx context.Context) bool {
	return time.Since(k.lastSave) < k.interval || k.save(ctx)
}

// save stores the consumer's position if it has moved, and reports whether the
// subscription can continue.
func (k *checkpointer) save(ctx context.Context) bool {
	if k.consumed != k.stored {
		if k.err = k.store.SetCheckpoint(ctx, k.name, k.consumed); k.err == nil {
			k.stored = k.consumed
		}
	}
	k.lastSave = time.Now()
	return k.err == nil
}
