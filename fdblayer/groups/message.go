package groups

import (
	"context"
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents"
)

// Message is an event that a Member hands to a consumer. The consumer settles it once,
// with Ack or Nack, from any goroutine.
type Message struct {
	// Event is read-only: its slices are shared with later attempts.
	Event fdbevents.Event
	// Attempt counts from 1. Attempts that ended because a member crashed do not count.
	Attempt int
	// Replayed is true when the message had been parked. Its attempts count anew.
	Replayed bool
	// Partition is the partition of the log that the event is in.
	Partition int
	// Epoch is that of the partition's lease. It rises whenever the partition changes
	// hands: a fencing token for what the consumer writes elsewhere.
	Epoch int64

	delivery *delivery
	settles  *settleLoop
	// state is guarded by the member's mu.
	state messageState
	// err is set when state is messageFailed. It is guarded by the member's mu.
	err error
}

type messageState int

const (
	// messageOut: a consumer holds the message.
	messageOut messageState = iota
	// messageSettled: the consumer has settled it, perhaps without a commit yet.
	messageSettled
	// messageTimedOut: the consumer took too long.
	messageTimedOut
	// messageFailed: the store refused the settlement, or its outcome is unknown.
	messageFailed
)

// NackAction says what happens to a message that a consumer refuses.
type NackAction int

const (
	// Retry delivers the message again, before later ones of its stream: after 100 ms,
	// then twice as long each time, up to 10 s. After the group's MaxRetries the
	// message is parked.
	Retry NackAction = iota + 1
	// Park puts the message aside and goes on with its stream; see Group.Parked and
	// Group.Replay.
	Park
	// Skip settles the message like Ack. The reason is not kept.
	Skip
)

// Ack says that the message's work is done. When it returns nil, that is durable, and
// the message is not delivered again.
//
// Errors: ErrSettled the second time; ErrLeaseLost and ErrMessageTimeout, after which
// the message is delivered again; ErrSettleUnknown, after which it may be delivered
// again; ErrGroupDeleted. When ctx ends while Ack waits, the message is either not
// settled, and Ack may be called again, or the error is ErrSettleUnknown.
func (msg *Message) Ack(ctx context.Context) error { return msg.settle(ctx, settleAck, "") }

// Nack says that the message's work is not done, and what happens to the message. The
// first MaxReason bytes of the reason are kept with a parked message; it may be empty.
// The errors are Ack's, and *InvalidError for an unknown action.
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

func (msg *Message) settle(ctx context.Context, kind settleKind, reason string) error {
	err := context.Cause(ctx)
	if err == nil {
		x := &settlement{delivery: msg.delivery, message: msg, kind: kind, reason: reason, done: make(chan struct{})}
		if err = msg.settles.accept(x); err == nil {
			err = msg.settles.await(ctx, x)
		}
	}
	if err != nil {
		return fmt.Errorf("settling message at position %s of consumer group %q: %w", msg.Event.Position, msg.settles.group.name, err)
	}
	return nil
}
