package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
)

const groupName = "workers"

func openGroup(ctx context.Context, s *fdblayer.Store) (*groups.Group, error) {
	return groups.Open(ctx, s, groupName, groups.Options{Filter: fdbevents.InStreams(groupPrefix), LeaseTime: time.Second, MessageTimeout: 5 * time.Second, MaxRetries: 1000})
}

// member is the life of a member of the group, with several consumers. It ends after
// some hundreds or thousands of messages, or with its store.
func (c *crew) member(ctx context.Context) error {
	s, err := c.site.store(ctx, rand.IntN(100))
	if err != nil {
		return nil
	}
	err = c.work(ctx, s)
	if err != nil && (ctx.Err() != nil || transient(err)) {
		return nil
	}
	return err
}

func (c *crew) work(ctx context.Context, s *fdblayer.Store) error {
	g, err := openGroup(ctx, s)
	if err != nil {
		return err
	}
	m, err := g.Join(ctx)
	if err != nil {
		return err
	}
	life, end := c.until(ctx)
	defer end()
	left := atomic.Int64{}
	left.Store(int64(200 + rand.IntN(5000)))
	failures := make(chan error, 32)
	var consumers sync.WaitGroup
	for range cap(failures) {
		consumers.Go(func() {
			for msg, err := range m.Messages(life) {
				if err == nil {
					err = c.settle(ctx, msg)
				}
				if err != nil && life.Err() == nil {
					failures <- err
					return
				}
				if left.Add(-1) < 0 {
					end()
				}
			}
		})
	}
	consumers.Wait()
	close(failures)
	return errors.Join(<-failures, m.Close())
}

// settle handles a message: most succeed at once, some at the second attempt, some
// only after they were parked.
func (c *crew) settle(ctx context.Context, msg *groups.Message) error {
	h := handing{What: handedOut, Stream: msg.Event.Stream, Revision: msg.Event.Revision, Epoch: msg.Epoch, Replayed: msg.Replayed}
	c.witness.note(h)
	how, err := settled, error(nil)
	switch r := msg.Event.Revision; {
	case r%101 == 3 && !msg.Replayed:
		how, err = "parked", msg.Nack(ctx, groups.Park, "odd")
	case r%53 == 2 && msg.Attempt == 1:
		how, err = "refused", msg.Nack(ctx, groups.Retry, "once more")
	default:
		err = msg.Ack(ctx)
	}
	switch {
	case err == nil:
		h.What = how
	case errors.Is(err, fdbevents.ErrLeaseLost), errors.Is(err, fdbevents.ErrMessageTimeout):
		h.What = fenced
	case errors.Is(err, fdbevents.ErrSettleUnknown), errors.Is(err, fdbevents.ErrClosed):
		h.What = inDoubt
	default:
		return err
	}
	c.witness.note(h)
	return nil
}

// replay makes the group deliver parked messages again.
func (c *crew) replay(ctx context.Context) error {
	life, end := c.until(ctx)
	defer end()
	_, _, err := c.do(life, 0, func(s *fdblayer.Store) error {
		g, err := openGroup(life, s)
		if err == nil {
			_, err = g.Replay(life)
		}
		return err
	})
	select {
	case <-time.After(time.Second):
	case <-life.Done():
		return nil
	}
	return err
}

// drained waits until the group has nothing left to do.
func (c *crew) drained(ctx context.Context) error {
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		var left string
		_, _, err := c.do(ctx, 0, func(s *fdblayer.Store) error {
			g, err := openGroup(ctx, s)
			if err != nil {
				return err
			}
			if _, err = g.Replay(ctx); err != nil {
				return err
			}
			info, err := g.Info(ctx)
			left = ""
			for p, x := range info.Partitions {
				if x.Lag.N+x.Parked.N+x.Replaying.N > 0 {
					left = fmt.Sprintf("partition %d: %d not settled, %d parked, %d to be replayed", p, x.Lag.N, x.Parked.N, x.Replaying.N)
				}
			}
			return err
		})
		if err == nil && left == "" {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the group does not finish: %s: %w", left, errors.Join(err, ctx.Err()))
		}
	}
}
