package groups

import (
	"context"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
)

// settlement says what becomes of an event whose attempt is over.
type settlement struct {
	delivery *delivery
	// message is nil when no consumer settled it: it timed out, or has no event.
	message *Message
	// kind and reason may still change in leaseChange.plan: a retry too many parks.
	kind   settleKind
	reason string
	// done, when not nil, is closed when the settlement has ended. err is set before.
	done chan struct{}
	err  error
}

type settleKind int

const (
	settleAck settleKind = iota
	settleRetry
	settlePark
)

// finish ends a settlement: err is nil when it was committed. The caller holds mu.
func (x *settlement) finish(err error) {
	x.err = err
	if err != nil && x.message != nil {
		x.message.state, x.message.err = messageFailed, err
	}
	if x.done != nil {
		close(x.done)
	}
}

// submit queues a settlement. The caller holds mu.
func (s *settleLoop) submit(x *settlement) {
	s.queue = append(s.queue, x)
	s.wakeSettle.send()
}

// accept queues what a consumer says of its message, if the message can be settled.
func (s *settleLoop) accept(x *settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	msg := x.message
	switch {
	case msg.state == messageSettled:
		return fdbevents.ErrSettled
	case msg.state == messageTimedOut:
		return fdbevents.ErrMessageTimeout
	case msg.state == messageFailed:
		return msg.err
	case x.delivery.lease.lost:
		return s.leaseLost()
	}
	msg.state = messageSettled
	s.timers.clear(x.delivery)
	s.submit(x)
	return nil
}

// await waits for the commit, or takes the settlement back when ctx ends.
func (s *settleLoop) await(ctx context.Context, x *settlement) error {
	select {
	case <-x.done:
		return x.err
	case <-ctx.Done():
	}
	if s.withdraw(x) {
		return fmt.Errorf("not settled: %w", context.Cause(ctx))
	}
	select {
	case <-x.done: // it ended at the same moment
		return x.err
	default:
		return fmt.Errorf("%w: stopped waiting for the commit: %w", fdbevents.ErrSettleUnknown, context.Cause(ctx))
	}
}

// withdraw takes a settlement back unless a transaction already has it.
func (s *settleLoop) withdraw(x *settlement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, x)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	x.message.state = messageOut
	if !x.delivery.lease.lost {
		s.setTimer(x.delivery, x.delivery.due)
	}
	return true
}
