package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// readers returns how many read at once; 1 when the workload does not say.
func (w Workload) readers() int { return max(w.Readers, 1) }

// prepareLoad makes readers load streams of LoadedEvents events, chosen at random.
func (s *stage) prepareLoad(_ context.Context, w Workload) (turnFunc, error) {
	if _, ok := s.instance.(StreamReader); !ok {
		return nil, errNotOffered
	}
	if w.Log < LoadedEvents {
		return nil, fmt.Errorf("%s: a log of %d events has no stream of %d", w.Name(), w.Log, LoadedEvents)
	}
	return s.readTurn(w, func(ctx context.Context, rng *rand.Rand, yield func([]byte)) (want int, err error) {
		stream := stockedStream(rng.IntN(w.Log / LoadedEvents))
		return LoadedEvents, s.instance.(StreamReader).ReadStream(ctx, stream, yield)
	}), nil
}

// prepareReadLog makes readers read the whole log.
func (s *stage) prepareReadLog(_ context.Context, w Workload) (turnFunc, error) {
	if _, ok := s.instance.(LogReader); !ok {
		return nil, errNotOffered
	}
	return s.readTurn(w, func(ctx context.Context, _ *rand.Rand, yield func([]byte)) (want int, err error) {
		return int(s.logged), s.instance.(LogReader).ReadLog(ctx, yield)
	}), nil
}

// prepareReadTag makes readers read the events with a tag that few events have.
func (s *stage) prepareReadTag(_ context.Context, w Workload) (turnFunc, error) {
	if _, ok := s.instance.(TagReader); !ok {
		return nil, errNotOffered
	}
	return s.readTurn(w, func(ctx context.Context, _ *rand.Rand, yield func([]byte)) (want int, err error) {
		return s.stocked / TagEvery, s.instance.(TagReader).ReadTag(ctx, foundTag, yield)
	}), nil
}

// readTurn makes each reader read until the turn is over, at least once. A read that
// yields fewer events than wanted, or more, is an error: a rate of wrong answers is
// of no interest.
func (s *stage) readTurn(w Workload, read func(ctx context.Context, rng *rand.Rand, yield func([]byte)) (want int, err error)) turnFunc {
	var seed atomic.Uint64
	return func(ctx context.Context, t *tally) error {
		return together(w.readers(), func(int) error {
			c := t.counter()
			defer c.done()
			rng := rand.New(rand.NewPCG(seed.Add(1), 1))
			for first := true; first || !t.over(); first = false {
				events, bytes := 0, 0
				began := time.Now()
				want, err := read(ctx, rng, func(data []byte) {
					events++
					bytes += len(data)
				})
				if err != nil {
					return err
				}
				if events != want {
					return fmt.Errorf("got %d events, want %d", events, want)
				}
				c.add(time.Since(began), events, bytes)
			}
			return nil
		})
	}
}

// consumePatience is how long past its deadline a turn waits for its first message.
const consumePatience = time.Minute

// prepareConsume makes the members of a new group share the log.
func (s *stage) prepareConsume(_ context.Context, w Workload) (turnFunc, error) {
	consumer, ok := s.instance.(Consumer)
	if !ok {
		return nil, errNotOffered
	}
	groups := 0
	return func(ctx context.Context, t *tally) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		groups++
		c := t.counter()
		defer c.done()
		var events, bytes atomic.Int64
		// The turn ends at its deadline, or with the first message after it: where the
		// machine is busy, joining a group can take longer than a short turn.
		defer time.AfterFunc(time.Until(t.deadline), func() {
			if events.Load() > 0 {
				cancel()
			}
		}).Stop()
		defer time.AfterFunc(time.Until(t.deadline)+consumePatience, cancel).Stop()
		err := consumer.Consume(ctx, fmt.Sprintf("group%d-%d", s.prepared, groups), w.readers(), func(data []byte) {
			bytes.Add(int64(len(data)))
			if events.Add(1) >= s.logged || !time.Now().Before(t.deadline) {
				cancel() // everything has been handed out, or the time is up
			}
		})
		if err != nil {
			return err
		}
		c.operations, c.events, c.bytes = events.Load(), events.Load(), bytes.Load()
		if c.events == 0 {
			return fmt.Errorf("nothing was handed out in %v", time.Until(t.began).Abs())
		}
		return nil
	}, nil
}

// prepareOpen adds the workload's streams to the system; each turn then closes and
// opens it once.
func (s *stage) prepareOpen(ctx context.Context, w Workload) (turnFunc, error) {
	supply := s.bodies(0)
	for i := range w.Streams {
		if err := s.fill(ctx, fmt.Sprintf("open%d-%d", s.prepared, i), 0, []Event{{Data: supply.next(w.Size)}}); err != nil {
			return nil, err
		}
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return func(ctx context.Context, t *tally) error {
		c := t.counter()
		defer c.done()
		var began time.Time
		err := s.reopen(ctx, func() error {
			began = time.Now()
			return nil
		})
		if err != nil {
			return err
		}
		c.add(time.Since(began), 0, 0)
		return nil
	}, nil
}
