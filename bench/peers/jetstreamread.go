package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// ReadStream gets many of a subject's messages with one request: making a consumer
// would cost more than the messages it reads.
func (j *jetStreamInstance) ReadStream(ctx context.Context, stream string, yield func([]byte)) error {
	first := uint64(1)
	for first != 0 {
		var err error
		if first, err = j.getBatch(ctx, jetStreamPrefix+stream, first, yield); err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
	}
	return nil
}

// getBatch yields a subject's messages from a sequence on, and returns the sequence at
// which to continue, or 0 if there are no more.
func (j *jetStreamInstance) getBatch(ctx context.Context, subject string, first uint64, yield func([]byte)) (uint64, error) {
	request, err := json.Marshal(struct {
		Sequence uint64 `json:"seq"`
		Subject  string `json:"next_by_subj"`
		Batch    int    `json:"batch"`
		MaxBytes int    `json:"max_bytes"`
	}{first, subject, 1000, 16 << 20})
	if err != nil {
		return 0, err
	}
	inbox := j.conn.NewInbox()
	replies, err := j.conn.SubscribeSync(inbox)
	if err != nil {
		return 0, fmt.Errorf("subscribe: %w", err)
	}
	defer func() { _ = replies.Unsubscribe() }()
	if err := j.conn.PublishRequest("$JS.API.DIRECT.GET."+jetStreamName, inbox, request); err != nil {
		return 0, err
	}
	last := first
	for {
		m, err := replies.NextMsgWithContext(ctx)
		if err != nil {
			return 0, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			if last, err = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err != nil {
				return 0, fmt.Errorf("read a message's sequence: %w", err)
			}
			yield(m.Data)
		case "404": // no messages
			return 0, nil
		case "204": // the end of the batch
			if m.Header.Get("Nats-Num-Pending") == "0" {
				return 0, nil
			}
			return last + 1, nil
		default:
			return 0, fmt.Errorf("status %s %s", status, m.Header.Get("Description"))
		}
	}
}

// ReadLog reads up to the end of the stream at the time of the call.
func (j *jetStreamInstance) ReadLog(ctx context.Context, yield func([]byte)) error {
	info, err := j.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask for the end of the log: %w", err)
	}
	end := info.State.LastSeq
	if end == 0 {
		return nil
	}
	return j.read(ctx, 1, nil, func(sequence uint64, data []byte) bool {
		yield(data)
		return sequence < end
	})
}

// Follow reads from the end of the stream at the time of the call.
func (j *jetStreamInstance) Follow(ctx context.Context, live func(), yield func([]byte)) error {
	info, err := j.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask for the end of the log: %w", err)
	}
	err = j.read(ctx, info.State.LastSeq+1, live, func(_ uint64, data []byte) bool {
		yield(data)
		return true
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// read yields messages from a sequence on, until yield returns false. It calls
// started, if not nil, once it can no longer miss a message.
func (j *jetStreamInstance) read(ctx context.Context, first uint64, started func(), yield func(uint64, []byte) bool) error {
	consumer, err := j.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: first,
	})
	if err != nil {
		return fmt.Errorf("create a consumer: %w", err)
	}
	// The server would keep the consumer for minutes, and it keeps only a limited number.
	defer func() {
		if info := consumer.CachedInfo(); info != nil {
			cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_ = j.stream.DeleteConsumer(cleanup, info.Name) // it may have been replaced by now
		}
	}()
	messages, err := consumer.Messages(jetstream.PullMaxMessages(10_000))
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	if started != nil {
		started()
	}
	for {
		m, err := messages.Next()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		about, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read a message's metadata: %w", err)
		}
		if !yield(about.Sequence.Stream, m.Data()) {
			return nil
		}
	}
}

// Consume makes all members pull from one durable consumer.
func (j *jetStreamInstance) Consume(ctx context.Context, name string, members int, yield func([]byte)) error {
	consumer, err := j.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 20_000,
	})
	if err != nil {
		return fmt.Errorf("create consumer %s: %w", name, err)
	}
	var g errgroup.Group
	for range members {
		g.Go(func() error {
			if err := consumeMessages(ctx, consumer, yield); err != nil && ctx.Err() == nil {
				return fmt.Errorf("consume as %s: %w", name, err)
			}
			return nil
		})
	}
	err = g.Wait()
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, j.stream.DeleteConsumer(cleanup, name))
}

func consumeMessages(ctx context.Context, consumer jetstream.Consumer, yield func([]byte)) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1000))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next()
		if err != nil {
			return err
		}
		yield(m.Data())
		if err := m.Ack(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
}
