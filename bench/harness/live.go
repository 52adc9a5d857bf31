package harness

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// trial is how long the writers run at full speed to find out what half of it is.
	trial = time.Second
	// stragglers is how long to wait for the last receipts.
	stragglers = 30 * time.Second
	// numbered is how many digits the event's number has, which its data begins with.
	numbered = 16
	// remembered is how many acknowledgements are kept. A follower that is further
	// behind would find a later one and seem faster than it is, but by then it has
	// missed every target.
	remembered = 1 << 20
)

// audience is the followers of one turn and the acknowledgements with which their
// receipts are compared.
type audience struct {
	bodies func(seed uint64) *bodies
	began  time.Time
	// acknowledged is when each event was acknowledged, in nanoseconds since began; 0
	// means not yet. The index is the event's number modulo the slice's length.
	acknowledged []atomic.Int64
	sent         atomic.Int64
	received     []atomic.Int64 // per follower
	// measuring is the number of the first event whose latency counts.
	measuring atomic.Int64
}

// prepareLive makes writers append at a steady rate, below what the system can do,
// while readers follow. The latency runs from the acknowledgement of an event to its
// receipt by a follower; it is 0 if the receipt comes first.
func (s *stage) prepareLive(_ context.Context, w Workload) (turnFunc, error) {
	_, appends := s.instance.(AnyAppender)
	if _, follows := s.instance.(Follower); !follows || !appends {
		return nil, errNotOffered
	}
	if w.Size < numbered {
		return nil, fmt.Errorf("%s: events of %d bytes have no room for their number of %d digits", w.Name(), w.Size, numbered)
	}
	number := s.prepared
	return func(ctx context.Context, t *tally) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		a := &audience{bodies: s.bodies, began: time.Now(), acknowledged: make([]atomic.Int64, remembered), received: make([]atomic.Int64, w.readers())}
		a.measuring.Store(1 << 62)
		following, ended := a.follow(ctx, cancel, s.instance.(Follower), t)
		for range w.readers() {
			select {
			case <-following:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		appendOne := func(ctx context.Context, writer int, data []byte) error {
			return s.instance.(AnyAppender).AppendAny(ctx, fmt.Sprintf("live%d.%d-1", number, writer), []Event{{Data: data}})
		}
		length := time.Until(t.deadline)
		rate := float64(w.Rate)
		if rate == 0 {
			rate = s.pace[w.Name()]
		}
		if rate == 0 {
			began := time.Now()
			if err := a.write(ctx, w, 0, time.Now().Add(trial), appendOne); err != nil {
				return err
			}
			if err := a.wait(ctx); err != nil {
				return err
			}
			rate = float64(a.sent.Load()) / time.Since(began).Seconds() / 2
			s.pace[w.Name()] = rate
		}
		before := a.sent.Load()
		a.measuring.Store(before)
		t.began = time.Now()
		if err := a.write(ctx, w, rate, t.began.Add(length), appendOne); err != nil {
			return err
		}
		took := time.Now()
		if err := a.wait(ctx); err != nil {
			return err
		}
		cancel(nil)
		if err := <-ended; err != nil {
			return err
		}
		n := a.sent.Load() - before
		t.appended.Store(a.sent.Load())
		t.operations, t.events, t.bytes = n*int64(w.readers()), n, n*int64(w.Size)
		t.ended = took
		return nil
	}, nil
}

// follow starts the followers. Each one sends to following when it is live; ended
// receives one value when all have ended.
func (a *audience) follow(ctx context.Context, cancel context.CancelCauseFunc, f Follower, t *tally) (following chan struct{}, ended chan error) {
	following, ended = make(chan struct{}, len(a.received)), make(chan error, 1)
	go func() {
		ended <- together(len(a.received), func(i int) error {
			c := t.counter()
			defer c.done()
			err := f.Follow(ctx, func() { following <- struct{}{} }, func(data []byte) {
				a.receive(i, c, data)
			})
			if err != nil {
				cancel(err) // stop waiting for this follower
			}
			return err
		})
	}()
	return following, ended
}

// receive counts the receipt of an event by a follower.
func (a *audience) receive(follower int, c *counter, data []byte) {
	now := time.Since(a.began)
	n, err := strconv.ParseInt(string(data[:numbered]), 16, 64)
	if err != nil {
		return // the count will not match, which is an error
	}
	if n >= a.measuring.Load() {
		at := time.Duration(a.acknowledged[n%remembered].Load())
		if at == 0 {
			at = now // received before the acknowledgement was recorded
		}
		c.late(now - at)
	}
	a.received[follower].Add(1)
}

// write appends until the deadline, at a rate in events per second, or at full speed
// when the rate is 0.
func (a *audience) write(ctx context.Context, w Workload, rate float64, deadline time.Time, appendOne func(ctx context.Context, writer int, data []byte) error) error {
	return together(w.Writers, func(writer int) error {
		supply := a.bodies(uint64(writer))
		var pause time.Duration
		if rate > 0 {
			pause = time.Duration(float64(w.Writers) / rate * float64(time.Second))
		}
		// Stagger the writers, so that they do not all begin at once.
		next := time.Now().Add(pause * time.Duration(writer) / time.Duration(w.Writers))
		for {
			if wait := time.Until(next); wait > 0 {
				time.Sleep(wait)
			}
			if next = next.Add(pause); !time.Now().Before(deadline) {
				return nil
			}
			n := a.sent.Add(1) - 1
			a.acknowledged[n%remembered].Store(0)
			data := fmt.Appendf(make([]byte, 0, w.Size), "%0*x", numbered, n)
			data = append(data, supply.next(w.Size-numbered)...)
			if err := appendOne(ctx, writer, data); err != nil {
				return err
			}
			a.acknowledged[n%remembered].Store(int64(time.Since(a.began)))
		}
	})
}

// wait returns when every follower has received everything that was sent.
func (a *audience) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stragglers)
	defer cancel()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for i := range a.received {
		for want := a.sent.Load(); ; {
			got := a.received[i].Load()
			if got == want {
				break
			}
			if got > want {
				return fmt.Errorf("a follower received %d events, but only %d were sent", got, want)
			}
			select {
			case <-look.C:
			case <-ctx.Done():
				return fmt.Errorf("a follower has received only %d of %d events: %w", got, want, context.Cause(ctx))
			}
		}
	}
	return nil
}
