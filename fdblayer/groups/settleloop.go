package groups

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents"
)

// settleLoop writes settlements, checkpoints, and leases that the member gives up. It
// is one goroutine from Join until every lease has been given up or lost.
//
// Nobody else writes the progress of a partition that the member holds, or gives the
// lease up, so these transactions follow one another: settlements that gather while one
// is under way go together in the next.
//
// The fields from queue on are guarded by mu.
type settleLoop struct {
	*membership
	leases *leaseSet

	// queue has the settlements that no transaction has yet, oldest first. Consumers,
	// read loops and timers add to it.
	queue []*settlement
	// timers has the delivered messages that can time out, and the retries. Deliveries
	// of lost leases have no timer.
	timers timers
	// closing is true when no lease is taken any more: the loop gives up those that are
	// left, and ends.
	closing bool
}

const (
	// maxSettlements bounds the settlements of one transaction.
	maxSettlements = 1000
	// firstRetry is the pause before the first retry. It doubles for each further one.
	firstRetry   = 100 * time.Millisecond
	longestRetry = 10 * time.Second
)

// run writes until the loop is closing and nothing is left. ctx cuts off transactions
// that the engine does not answer.
func (s *settleLoop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changes, due, end := s.cut(time.Now())
		if len(changes) > 0 {
			err := s.write(ctx, changes)
			s.written(changes, err)
			continue
		}
		if end {
			return
		}
		timer.Reset(due)
		select {
		case <-s.wakeSettle:
		case <-timer.C:
		}
	}
}

// close makes the loop give up all leases, and end.
func (s *settleLoop) close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.wakeSettle.send()
}

// cut takes what the next transaction writes. due is when to call cut again at the
// latest, end that there will be nothing more.
func (s *settleLoop) cut(now time.Time) (changes []*leaseChange, due time.Duration, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	changes = s.gather()
	for _, c := range changes {
		c.plan(now)
	}
	due = time.Hour
	if len(s.timers) > 0 {
		due = max(0, s.timers[0].due.Sub(now))
	}
	return changes, due, s.closing && len(s.queue) == 0 && len(s.leases.held) == 0
}

// gather takes settlements from the queue, and finds the leases to give up and the
// checkpoints to write. The caller holds mu.
func (s *settleLoop) gather() (changes []*leaseChange) {
	of := make(map[*lease]*leaseChange)
	change := func(l *lease) *leaseChange {
		if of[l] == nil {
			of[l] = &leaseChange{lease: l}
			changes = append(changes, of[l])
		}
		return of[l]
	}
	n := min(len(s.queue), maxSettlements)
	for _, x := range s.queue[:n] {
		if x.delivery.lease.lost {
			x.finish(s.leaseLost())
			continue
		}
		c := change(x.delivery.lease)
		c.settlements = append(c.settlements, x)
	}
	s.queue = slices.Delete(s.queue, 0, n)
	rest := make(map[*lease]int)
	for _, x := range s.queue {
		rest[x.delivery.lease]++
	}
	for _, l := range s.leases.held {
		switch {
		case rest[l] == 0 && (s.closing || l.draining && l.out == of[l].delivered()):
			l.releasing = true
			change(l).release = true
		case l.behind:
			change(l)
		}
	}
	return changes
}

// written takes in how a transaction ended. err is nil when it was committed.
func (s *settleLoop) written(changes []*leaseChange, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
			if refused == nil {
				s.settled(x, now)
			}
			x.finish(refused)
		}
		// After a failure our copy of the progress may be stale: drop the lease. Retaking
		// it reads the progress again.
		if refused != nil || c.release {
			s.leases.drop(l)
		}
	}
}

// settled applies a settlement that was committed. The caller holds mu.
func (s *settleLoop) settled(x *settlement, now time.Time) {
	d := x.delivery
	if d.message != nil {
		d.message = nil
		d.lease.out--
	}
	if x.kind != settleRetry {
		d.lease.settled(d)
		return
	}
	d.failed++
	s.setTimer(d, now.Add(retryDelay(d.failed)))
}

// retryDelay returns the pause before the next attempt, after failed attempts.
func retryDelay(failed int) time.Duration {
	if failed > 7 {
		return longestRetry
	}
	return min(firstRetry<<(failed-1), longestRetry)
}

// expire handles what is due: messages that timed out, and retries. The caller holds
// mu.
func (s *settleLoop) expire(now time.Time) {
	for len(s.timers) > 0 && !s.timers[0].due.After(now) {
		d := s.timers[0]
		s.timers.clear(d)
		if d.message == nil {
			d.lease.makeReady(d)
			continue
		}
		d.message.state = messageTimedOut
		s.submit(&settlement{delivery: d, kind: settleRetry, reason: fmt.Sprintf("not settled within %v", s.config.MessageTimeout)})
	}
}

// setTimer starts the timer of a delivery, which must not have one already. The caller
// holds mu.
func (s *settleLoop) setTimer(d *delivery, due time.Time) {
	if s.timers.set(d, due) {
		s.wakeSettle.send()
	}
}
