package groups

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents"
)

// Message is an event that a Member got to work on. It is settled with Ack or
// Nack, once, by any goroutine.
type Message struct {
	// Event is read-only: its slices are shared with later attempts.
	Event fdbevents.Event
	// Attempt counts from 1. Attempts that ended with a member that crashed do
	// not count.
	Attempt int
	// Replayed is true when the message had been parked. Its attempts count anew.
	Replayed bool
	// Partition and Epoch are those of the lease. The epoch rises whenever the
	// partition changes hands: a fencing token for what the consumer writes
	// elsewhere.
	Partition int
	Epoch     int64

	delivery *delivery
	// state, and err when it is messageFailed, are guarded by the member's mu.
	state messageState
	err   error
}

type messageState int

const (
	messageOut messageState = iota
	messageSettled
	messageTimedOut
	messageFailed
)

// NackAction is what shall happen to a message that was not worked off.
type NackAction int

const (
	// Retry delivers the message again, after 100 ms, then twice as long each
	// time, up to 10 s, and before later ones of its stream. After the group's
	// MaxRetries it is parked.
	Retry NackAction = iota + 1
	// Park puts the message aside, see Group.Parked and Group.Replay, and goes on.
	Park
	// Skip settles the message without a trace.
	Skip
)

// Ack says that the message was worked off. When it returns nil, that is
// durable, and the message is not delivered again.
//
// Errors: ErrSettled the second time; ErrLeaseLost and ErrMessageTimeout, after
// which the message is delivered again; ErrSettleUnknown, after which it may be,
// also when ctx ends while Ack waits; ErrGroupDeleted.
func (msg *Message) Ack(ctx context.Context) error { return msg.settle(ctx, settleAck, "") }

// Nack says that the message was not worked off, and what shall happen to it. The
// reason is kept with a parked message, the first MaxReason bytes of it; it may
// be empty. Errors are those of Ack.
func (msg *Message) Nack(ctx context.Context, action NackAction, reason string) error {
	if len(reason) > fdbevents.MaxReason {
		reason = reason[:fdbevents.MaxReason]
	}
	reason = strings.ToValidUTF8(reason, "")
	switch action {
	case Retry:
		return msg.settle(ctx, settleRetry, reason)
	case Park:
		return msg.settle(ctx, settlePark, reason)
	case Skip:
		return msg.settle(ctx, settleAck, reason)
	}
	return &fdbevents.InvalidError{What: "nack action", Value: fmt.Sprint(int(action)), Reason: "want Retry, Park or Skip"}
}

func (msg *Message) settle(ctx context.Context, how settling, reason string) error {
	m := msg.delivery.lease.member
	err := context.Cause(ctx)
	if err == nil {
		x := &settlement{delivery: msg.delivery, message: msg, how: how, reason: reason, done: make(chan struct{})}
		if err = m.accept(x); err == nil {
			err = m.await(ctx, x)
		}
	}
	if err != nil {
		return fmt.Errorf("settling message at position %s of consumer group %q: %w", msg.Event.Position, m.group.name, err)
	}
	return nil
}

// accept queues what a consumer says of its message, if it may.
func (m *Member) accept(x *settlement) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	msg := x.message
	switch {
	case msg.state == messageSettled:
		return fdbevents.ErrSettled
	case msg.state == messageTimedOut:
		return fdbevents.ErrMessageTimeout
	case msg.state == messageFailed:
		return msg.err
	case x.delivery.lease.lost:
		return m.lost()
	}
	msg.state = messageSettled
	m.clearTimer(x.delivery)
	m.submit(x)
	return nil
}

// lost is what to say of a message whose lease is.
func (m *Member) lost() error {
	if errors.Is(context.Cause(m.ctx), fdbevents.ErrGroupDeleted) {
		return fdbevents.ErrGroupDeleted
	}
	return fdbevents.ErrLeaseLost
}

// await waits for the transaction, or takes the settlement back when ctx ends.
func (m *Member) await(ctx context.Context, x *settlement) error {
	select {
	case <-x.done:
		return x.err
	case <-ctx.Done():
	}
	if m.withdraw(x) {
		return fmt.Errorf("not settled: %w", context.Cause(ctx))
	}
	select {
	case <-x.done: // it was done in the same moment
		return x.err
	default:
		return fmt.Errorf("%w: stopped waiting for the commit: %w", fdbevents.ErrSettleUnknown, context.Cause(ctx))
	}
}
