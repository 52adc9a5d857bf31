package groups

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// settlement is what shall become of an event that was delivered.
type settlement struct {
	delivery *delivery
	// message is nil when no consumer waits for the end of it.
	message *Message
	how     settling
	reason  string
	// done, when not nil, is closed at the end of it; err is set before.
	done chan struct{}
	err  error
}

type settling int

const (
	settleAck settling = iota
	settleRetry
	settlePark
)

const (
	// maxSettlements bounds those of one transaction.
	maxSettlements = 1000
	firstRetry     = 100 * time.Millisecond
	longestRetry   = 10 * time.Second
)

// leaseChange is what a transaction of the settler writes of one lease.
type leaseChange struct {
	lease       *lease
	settlements []*settlement
	next        layout.GroupProgress
	// The keys and values, made once for all attempts. moves is true when progress is
	// other than what is stored.
	progress []byte
	moves    bool
	sets     []engine.KeyValue
	clears   [][]byte
	release  bool
	// err is why the store refused it.
	err error
}

// settler writes settlements until the member is closing and none are left: those
// that gather while a transaction is under way go together in the next. Nobody
// else writes the progress of a partition that the member holds, or gives its
// lease up, so these follow one another.
func (m *Member) settler(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changes, due, end := m.cut(time.Now())
		if len(changes) > 0 {
			err := m.write(ctx, changes)
			m.written(changes, err)
			continue
		}
		if end {
			return
		}
		timer.Reset(due)
		select {
		case <-m.settle:
		case <-timer.C:
		}
	}
}

// submit queues a settlement. The caller holds mu.
func (m *Member) submit(x *settlement) {
	m.queue = append(m.queue, x)
	signal(m.settle)
}

// withdraw takes a settlement back if no transaction has it yet.
func (m *Member) withdraw(x *settlement) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.queue, x)
	if i < 0 {
		return false
	}
	m.queue = slices.Delete(m.queue, i, i+1)
	x.message.state = messageOut
	if !x.delivery.lease.lost {
		m.setTimer(x.delivery, x.delivery.due)
	}
	return true
}

// cut takes what the next transaction shall write: settlements, checkpoints that
// moved, and leases to give up. due is when to look again, end that there will be
// nothing more.
func (m *Member) cut(now time.Time) (changes []*leaseChange, due time.Duration, end bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(now)
	of := make(map[*lease]*leaseChange)
	change := func(l *lease) *leaseChange {
		if of[l] == nil {
			of[l] = &leaseChange{lease: l}
			changes = append(changes, of[l])
		}
		return of[l]
	}
	n := min(len(m.queue), maxSettlements)
	for _, x := range m.queue[:n] {
		if x.delivery.lease.lost {
			x.finish(m.lost())
			continue
		}
		c := change(x.delivery.lease)
		c.settlements = append(c.settlements, x)
	}
	m.queue = slices.Delete(m.queue, 0, n)
	rest := make(map[*lease]int)
	for _, x := range m.queue {
		rest[x.delivery.lease]++
	}
	for _, l := range m.leases {
		settled := 0
		if c := of[l]; c != nil {
			for _, x := range c.settlements {
				if x.delivery.message != nil {
					settled++
				}
			}
		}
		switch {
		case m.closing && rest[l] == 0, l.draining && l.out == settled && rest[l] == 0:
			l.releasing = true
			change(l).release = true
		case l.behind:
			change(l)
		}
	}
	for _, c := range changes {
		m.prepare(c, now)
	}
	due = time.Hour
	if len(m.timers) > 0 {
		due = max(0, m.timers[0].due.Sub(now))
	}
	return changes, due, m.closing && len(m.queue) == 0 && len(m.leases) == 0
}

// prepare works out what a change writes. The caller holds mu.
func (m *Member) prepare(c *leaseChange, now time.Time) {
	l, k, name := c.lease, m.group.keys, m.group.name
	l.behind = false
	settled := slices.Clone(l.stored.Settled)
	attempts := slices.Clone(l.stored.Attempts)
	done := make(map[*delivery]bool)
	for _, x := range c.settlements {
		d := x.delivery
		at, failed := d.event.Position, d.failed+1
		if x.how == settleRetry && failed > m.config.MaxRetries {
			x.how = settlePark
			x.reason = fmt.Sprintf("failed %d times: %s", failed, x.reason)
		}
		if x.how == settlePark {
			value := layout.AppendGroupParked(nil, layout.GroupParked{Attempts: failed, Reason: x.reason, Time: now})
			c.sets = append(c.sets, engine.KeyValue{Key: k.GroupParked(name, l.partition, at), Value: value})
		}
		i, retried := findAttempt(attempts, at)
		switch retry := x.how == settleRetry; {
		case d.replayed && retry:
			c.sets = append(c.sets, engine.KeyValue{Key: k.GroupReplay(name, l.partition, at), Value: layout.AppendGroupCount(nil, int64(failed))})
		case d.replayed:
			c.clears = append(c.clears, k.GroupReplay(name, l.partition, at))
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

// write commits changes. A change of a lease that is not the member's any more
// gets its err set, and writes nothing. What is in already is not written again: a
// message that was parked may have been replayed since.
func (m *Member) write(ctx context.Context, changes []*leaseChange) error {
	k, name := m.group.keys, m.group.name
	return m.door.Update(ctx, func(tr engine.Transaction, prior error) error {
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
			if c.err = m.fence(c.lease, value); c.err != nil {
				switch {
				case !engine.MaybeCommitted(prior):
				case c.release && c.lease.released(value):
					c.err = nil // by the attempt before, which is in as a whole
				default:
					// The attempt before may be in, and the lease was lost since.
					c.err = fmt.Errorf("%w: %w", fdbevents.ErrSettleUnknown, prior)
				}
				continue
			}
			if progress[i] != nil {
				// Nobody but the lease's holder writes it.
				if stored, err := progress[i].Get(); err != nil {
					return err
				} else if bytes.Equal(stored, c.progress) {
					continue
				}
			}
			key := k.GroupProgress(name, c.lease.partition)
			// An attempt that was given up, and lands late, must not follow a
			// later one.
			tr.AddReadConflict(engine.KeyRange(key))
			tr.Set(key, c.progress)
			for _, kv := range c.sets {
				tr.Set(kv.Key, kv.Value)
			}
			for _, key := range c.clears {
				tr.Clear(key)
			}
			if c.release {
				tr.Set(k.GroupLease(name, c.lease.partition), layout.AppendGroupLease(nil, layout.GroupLease{Epoch: c.lease.epoch}))
				released = true
			}
		}
		if released {
			m.group.ring(tr)
		}
		return nil
	})
}

// fence refuses a lease that is not the member's, by what the store says of it.
func (m *Member) fence(l *lease, value []byte) error {
	if value == nil {
		return fdbevents.ErrGroupDeleted
	}
	stored, err := layout.DecodeGroupLease(value)
	if err == nil && (stored.Owner != l.owner || stored.Epoch != l.epoch) {
		err = fdbevents.ErrLeaseLost
	}
	return err
}

// released reports whether the store says that this very lease was given up. Whoever
// takes the partition, or resets the group, raises the epoch.
func (l *lease) released(value []byte) bool {
	stored, err := layout.DecodeGroupLease(value)
	return value != nil && err == nil && stored.Owner == uuid.Nil && stored.Epoch == l.epoch
}

// written takes in how a transaction ended.
func (m *Member) written(changes []*leaseChange, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, c := range changes {
		l := c.lease
		refused := c.err
		if err != nil {
			refused = fmt.Errorf("%w: %w", fdbevents.ErrSettleUnknown, err)
		}
		if refused == nil {
			l.stored = c.next
		}
		for _, x := range c.settlements {
			if d := x.delivery; refused == nil {
				if d.message != nil {
					d.message = nil
					l.out--
				}
				if x.how != settleRetry {
					l.settled(d)
				} else {
					d.failed++
					m.setTimer(d, now.Add(retryDelay(d.failed)))
				}
			}
			x.finish(refused)
		}
		// After a failure, what is in the store only the store knows: the lease is
		// taken anew, or was lost.
		if refused != nil || c.release {
			m.drop(l)
		}
	}
}

// retryDelay is the pause before a further attempt.
func retryDelay(failed int) time.Duration {
	if failed > 7 {
		return longestRetry
	}
	return min(firstRetry<<(failed-1), longestRetry)
}

// finish ends a settlement.
func (x *settlement) finish(err error) {
	x.err = err
	if err != nil && x.message != nil {
		x.message.state, x.message.err = messageFailed, err
	}
	if x.done != nil {
		close(x.done)
	}
}

// expire handles what is due: messages that timed out, and retries. The caller
// holds mu.
func (m *Member) expire(now time.Time) {
	for len(m.timers) > 0 && !m.timers[0].due.After(now) {
		d := m.timers[0]
		m.clearTimer(d)
		if d.message == nil {
			d.lease.makeReady(d)
			continue
		}
		d.message.state = messageTimedOut
		m.submit(&settlement{delivery: d, how: settleRetry, reason: fmt.Sprintf("not settled within %v", m.config.MessageTimeout)})
	}
}

func (m *Member) setTimer(d *delivery, due time.Time) {
	d.due = due
	heap.Push(&m.timers, d)
	if m.timers[0] == d {
		signal(m.settle)
	}
}

func (m *Member) clearTimer(d *delivery) {
	if d.timer >= 0 {
		heap.Remove(&m.timers, d.timer)
	}
}

// timers is a heap of what is due when; each knows its place.
type timers []*delivery

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due.Before(t[j].due) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = i, j
}

func (t *timers) Push(x any) {
	d := x.(*delivery)
	d.timer = len(*t)
	*t = append(*t, d)
}

func (t *timers) Pop() any {
	old := *t
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	d.timer = -1
	return d
}
