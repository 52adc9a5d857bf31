package groups

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// leaseChange is what one transaction of the settle loop writes for one lease. The loop
// builds it under mu; while the transaction runs, the loop alone uses it, without mu.
type leaseChange struct {
	lease       *lease
	settlements []*settlement
	// release gives the lease up.
	release bool

	// next is the progress after the transaction.
	next layout.GroupProgress
	// progress is next as it is stored, the same bytes in all attempts.
	progress []byte
	// moves is true when progress differs from what is stored.
	moves bool
	// sets and clears are the other writes: parked messages and replays.
	sets   []engine.KeyValue
	clears [][]byte

	// err is why the store refused the change in the last attempt, nil when it did not.
	err error
}

// delivered counts the settlements that end a message in a consumer's hands.
func (c *leaseChange) delivered() (n int) {
	if c == nil {
		return 0
	}
	for _, x := range c.settlements {
		if x.delivery.message != nil {
			n++
		}
	}
	return n
}

// plan works out what the change writes. The caller holds mu.
func (c *leaseChange) plan(now time.Time) {
	l := c.lease
	l.behind = false
	settled := slices.Clone(l.stored.Settled)
	attempts := slices.Clone(l.stored.Attempts)
	done := make(map[*delivery]bool)
	for _, x := range c.settlements {
		d := x.delivery
		at, failed := d.event.Position, d.failed+1
		if x.kind == settleRetry && failed > l.config.MaxRetries {
			x.kind = settlePark
			x.reason = fmt.Sprintf("failed %d times: %s", failed, x.reason)
		}
		if x.kind == settlePark {
			c.park(x, now)
		}
		i, retried := findAttempt(attempts, at)
		switch retry := x.kind == settleRetry; {
		case d.replayed:
			c.planReplay(x)
		case retry && retried:
			attempts[i].Failed = failed
		case retry:
			attempts = slices.Insert(attempts, i, layout.GroupAttempt{At: at, Failed: failed})
		default:
			done[d] = true
			settled = append(settled, at)
		}
	}
	slices.SortFunc(settled, fdbevents.Position.Compare)
	c.next.Checkpoint = l.checkpoint(done)
	c.next.Settled = slices.DeleteFunc(settled, func(at fdbevents.Position) bool { return !c.next.Checkpoint.Before(at) })
	c.next.Attempts = slices.DeleteFunc(attempts, func(a layout.GroupAttempt) bool {
		_, gone := slices.BinarySearchFunc(c.next.Settled, a.At, fdbevents.Position.Compare)
		return gone || !c.next.Checkpoint.Before(a.At)
	})
	c.progress = layout.AppendGroupProgress(nil, c.next)
	c.moves = !bytes.Equal(c.progress, layout.AppendGroupProgress(nil, l.stored))
}

// park writes a parked message.
func (c *leaseChange) park(x *settlement, now time.Time) {
	l, d := c.lease, x.delivery
	value := layout.AppendGroupParked(nil, layout.GroupParked{Attempts: d.failed + 1, Reason: x.reason, Time: now})
	c.sets = append(c.sets, engine.KeyValue{Key: l.group.keys.GroupParked(l.group.name, l.partition, d.event.Position), Value: value})
}

// planReplay counts an attempt of a replayed message, or removes the replay. The
// position of a replayed message is not in the progress.
func (c *leaseChange) planReplay(x *settlement) {
	l, d := c.lease, x.delivery
	key := l.group.keys.GroupReplay(l.group.name, l.partition, d.event.Position)
	if x.kind == settleRetry {
		c.sets = append(c.sets, engine.KeyValue{Key: key, Value: layout.AppendGroupCount(nil, int64(d.failed+1))})
		return
	}
	c.clears = append(c.clears, key)
}

// write commits changes. A change of a lease that is not the member's any more gets its
// err set, and writes nothing. A change that is in already is not written again: a
// message that it parked may have been replayed since.
func (s *settleLoop) write(ctx context.Context, changes []*leaseChange) error {
	k, name := s.group.keys, s.group.name
	return s.door.Update(ctx, func(tr engine.Transaction, prior error) error {
		leases := make([]engine.Future[[]byte], len(changes))
		progress := make([]engine.Future[[]byte], len(changes))
		for i, c := range changes {
			leases[i] = tr.Get(k.GroupLease(name, c.lease.partition))
			if c.moves && engine.MaybeCommitted(prior) {
				progress[i] = tr.Snapshot().Get(k.GroupProgress(name, c.lease.partition))
			}
		}
		released := false
		for i, c := range changes {
			value, err := leases[i].Get()
			if err != nil {
				return err
			}
			if fenced := c.lease.fence(value); fenced != nil {
				c.err = c.refusal(fenced, value, prior)
				continue
			}
			c.err = nil
			if progress[i] != nil {
				// Only the lease's holder writes progress, so equal bytes are this change's.
				stored, err := progress[i].Get()
				if err != nil {
					return err
				}
				if bytes.Equal(stored, c.progress) {
					continue
				}
			}
			c.write(tr)
			released = released || c.release
		}
		if released {
			s.group.ring(tr)
		}
		return nil
	})
}

// refusal returns the error for a change that the fence refused. value is the stored
// lease, prior the error of the attempt before.
func (c *leaseChange) refusal(fenced error, value []byte, prior error) error {
	switch {
	case !engine.MaybeCommitted(prior):
		return fenced
	case c.release && c.lease.released(value):
		// The attempt before gave the lease up, so all of it is in.
		return nil
	}
	// The attempt before may be in, and the lease may have been lost since.
	return fmt.Errorf("%w: %w", fdbevents.ErrSettleUnknown, prior)
}

// write adds the change to a transaction.
func (c *leaseChange) write(tr engine.Transaction) {
	l := c.lease
	k, name := l.group.keys, l.group.name
	key := k.GroupProgress(name, l.partition)
	// The read conflict keeps an attempt that was given up, and lands late, from
	// following a later one.
	tr.AddReadConflict(engine.KeyRange(key))
	tr.Set(key, c.progress)
	for _, kv := range c.sets {
		tr.Set(kv.Key, kv.Value)
	}
	for _, key := range c.clears {
		tr.Clear(key)
	}
	if c.release {
		tr.Set(k.GroupLease(name, l.partition), layout.AppendGroupLease(nil, layout.GroupLease{Epoch: l.epoch}))
	}
}
