package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// readers read all the time, in every way that the store offers, and compare what they
// see with what others saw.
type readers struct {
	*crew
	checker *checker
	log     *line
	// goal is the end of the log, once it has one. The readers that follow the log must
	// reach it.
	goal      atomic.Pointer[fdbevents.Position]
	following sync.WaitGroup
	// hurrying ends when there is a goal. That also ends the lives that began earlier.
	hurrying context.Context
	hurry    context.CancelFunc
	mu       sync.Mutex
	rng      *rand.Rand
}

func newReaders(c *crew, checker *checker) *readers {
	r := &readers{crew: c, checker: checker, log: checker.newLine("the log", lasting), rng: rand.New(rand.NewPCG(c.seed, 2))}
	r.hurrying, r.hurry = context.WithCancel(context.Background())
	return r
}

// end sets the goal of the readers that follow the log.
func (r *readers) end(goal fdbevents.Position) {
	r.goal.Store(&goal)
	r.hurry()
}

func (r *readers) draw(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.IntN(n)
}

// start starts all readers.
func (r *readers) start(ctx context.Context) {
	for _, name := range []string{"subscription 1", "subscription 2"} {
		r.followLog(ctx, name, func(ctx context.Context, f *follower) error {
			return r.subscribe(ctx, f, fdblayer.SubscribeOptions{})
		})
	}
	r.followLog(ctx, "checkpoint", r.subscribeFrom)

	wanderer := r.checker.follow(r.log, "wanderer", fdbevents.Start)
	r.hire(ctx, wanderer.name, func(ctx context.Context) error { return r.wander(ctx, wanderer) })
	hot := fmt.Sprintf("%s0-0", hotPrefix)
	stream := r.checker.follow(r.checker.newLine("stream "+hot, func(ev *fdbevents.Event) bool { return ev.Stream == hot }), "stream "+hot, fdbevents.Start)
	r.hire(ctx, stream.name, func(ctx context.Context) error { return r.subscribeStream(ctx, stream, hot) })
	for _, tag := range []string{"colour:7", "chain:0"} {
		l := r.checker.newLine("tag "+tag, func(ev *fdbevents.Event) bool { return slices.Contains(ev.Tags, tag) })
		f := r.checker.follow(l, "query for "+tag, fdbevents.Start)
		r.hire(ctx, f.name, func(ctx context.Context) error { return r.query(ctx, f, tag) })
		g := r.checker.follow(l, "subscription to "+tag, fdbevents.Start)
		r.hire(ctx, g.name, func(ctx context.Context) error {
			return r.subscribe(ctx, g, fdblayer.SubscribeOptions{Filter: fdbevents.Filter{Query: tagged(tag)}})
		})
	}
	r.hire(ctx, "backward", r.backward)
	r.hire(ctx, "stream backward", func(ctx context.Context) error { return r.streamBackward(ctx, hot) })
}

type reading = func(yield func(fdbevents.Event, error) bool)

// followLog makes one reader read the log to its end, in lives of some seconds.
func (r *readers) followLog(ctx context.Context, name string, life func(ctx context.Context, f *follower) error) {
	f := r.checker.follow(r.log, name, fdbevents.Start)
	r.following.Go(func() {
		for !r.stopped() && !f.lost {
			if goal := r.goal.Load(); goal != nil && !f.at.Before(*goal) {
				return
			}
			if err := life(ctx, f); err != nil {
				r.checker.verdict.add(refusals, "%s: %v", name, err)
				return
			}
		}
		if !f.lost {
			r.checker.verdict.add(disagreeing, "%s: has only reached position %s", name, f.at)
		}
	})
}

// life returns a context for at most a few seconds.
func (r *readers) life(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := r.until(ctx)
	if r.goal.Load() != nil {
		ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		return ctx, func() { cancel(); stop() }
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(200+r.draw(3000))*time.Millisecond)
	forget := context.AfterFunc(r.hurrying, cancel)
	return ctx, func() { forget(); cancel(); stop() }
}

// see passes what is read to a follower. It drops errors that are expected.
func (r *readers) see(ctx context.Context, f *follower, events reading) error {
	for ev, err := range events {
		if err != nil {
			if ctx.Err() != nil || transient(err) {
				return nil
			}
			return err
		}
		if ev.Position == f.at {
			continue // the event at which the read begins
		}
		f.see(&ev)
	}
	return nil
}

// run reads for a while.
func (r *readers) run(ctx context.Context, f *follower, read func(s *fdblayer.Store) reading) error {
	s, err := r.site.store(ctx, r.draw(100))
	if err != nil {
		return nil
	}
	return r.see(ctx, f, read(s))
}

func (r *readers) subscribe(ctx context.Context, f *follower, o fdblayer.SubscribeOptions) error {
	ctx, cancel := r.life(ctx)
	defer cancel()
	return r.run(ctx, f, func(s *fdblayer.Store) reading { return s.Subscribe(ctx, f.at, o) })
}

// subscribeFrom goes on after a checkpoint, which may be behind.
func (r *readers) subscribeFrom(ctx context.Context, f *follower) error {
	ctx, cancel := r.life(ctx)
	defer cancel()
	return r.run(ctx, f, func(s *fdblayer.Store) reading {
		events := s.SubscribeFrom(ctx, "soak", fdblayer.SubscribeOptions{CheckpointInterval: 300 * time.Millisecond})
		return func(yield func(fdbevents.Event, error) bool) {
			first := true
			for ev, err := range events {
				if first && err == nil {
					f.rejoin(&ev)
				}
				first = false
				if !yield(ev, err) {
					return
				}
			}
		}
	})
}

// wander reads a part of the log, from any position.
func (r *readers) wander(ctx context.Context, f *follower) error {
	ctx, cancel := r.life(ctx)
	defer cancel()
	f.back(r.log.pick(float64(r.draw(1000)) / 1000))
	limit := 1000 + r.draw(20_000)
	prefix := []string{"", "", "own-", groupPrefix}[r.draw(4)]
	if prefix != "" { // other readers see more, so only the order can be compared
		return r.run(ctx, r.checker.follow(&line{name: "prefix", matches: func(*fdbevents.Event) bool { return false }}, f.name, f.at),
			func(s *fdblayer.Store) reading {
				return s.ReadAll(ctx, f.at, fdblayer.ReadOptions{Filter: fdbevents.InStreams(prefix), Limit: limit})
			})
	}
	if err := r.run(ctx, f, func(s *fdblayer.Store) reading { return s.ReadAll(ctx, f.at, fdblayer.ReadOptions{Limit: limit}) }); err != nil {
		return err
	}
	r.rest(ctx)
	return nil
}

// rest leaves the machine to others.
func (r *readers) rest(ctx context.Context) {
	select {
	case <-time.After(time.Duration(100+r.draw(400)) * time.Millisecond):
	case <-ctx.Done():
	}
}

func (r *readers) subscribeStream(ctx context.Context, f *follower, stream string) error {
	ctx, cancel := r.life(ctx)
	defer cancel()
	return r.run(ctx, f, func(s *fdblayer.Store) reading {
		return s.SubscribeStream(ctx, stream, int64(f.index)-1, fdblayer.SubscribeOptions{})
	})
}

func (r *readers) query(ctx context.Context, f *follower, tag string) error {
	ctx, cancel := r.life(ctx)
	defer cancel()
	err := r.run(ctx, f, func(s *fdblayer.Store) reading {
		return s.ReadAll(ctx, f.at, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: tagged(tag)}})
	})
	r.rest(ctx)
	return err
}

// backward reads some events from newest to oldest, and the same ones forward.
func (r *readers) backward(ctx context.Context) error {
	ctx, cancel := r.life(ctx)
	defer cancel()
	defer r.rest(ctx)
	from := fdbevents.End
	if r.draw(3) > 0 {
		from = r.log.pick(float64(r.draw(1000)) / 1000)
	}
	var there, back []mark
	var first, last fdbevents.Position
	collect := func(marks *[]mark, o fdblayer.ReadOptions, from fdbevents.Position) (bool, error) {
		s, err := r.site.store(ctx, r.draw(100))
		if err != nil {
			return false, nil
		}
		for ev, err := range s.ReadAll(ctx, from, o) {
			if err != nil {
				if ctx.Err() != nil || transient(err) {
					return false, nil
				}
				return false, err
			}
			if !o.Backward && last.Before(ev.Position) {
				break
			}
			if lasting(&ev) {
				*marks = append(*marks, markOf(&ev))
			}
			if o.Backward {
				if first = ev.Position; len(*marks) < 2 && last.Before(first) {
					last = first
				}
			}
		}
		return true, nil
	}
	if ok, err := collect(&back, fdblayer.ReadOptions{Backward: true, Limit: 1 + r.draw(500)}, from); !ok {
		return err
	}
	if ok, err := collect(&there, fdblayer.ReadOptions{}, first); !ok {
		return err
	}
	slices.Reverse(back)
	if !slices.Equal(there, back) {
		r.checker.verdict.add(disagreeing, "backward: %d events from %s to %s; forward: %d, or different ones", len(back), first, last, len(there))
	}
	return nil
}

// streamBackward reads a stream backward from its end.
func (r *readers) streamBackward(ctx context.Context, stream string) error {
	ctx, cancel := r.life(ctx)
	defer cancel()
	defer r.rest(ctx)
	s, err := r.site.store(ctx, r.draw(100))
	if err != nil {
		return nil
	}
	next := int64(-1)
	for ev, err := range s.ReadStream(ctx, stream, fdbevents.StreamEnd, fdblayer.ReadOptions{Backward: true, Limit: 300}) {
		if err != nil {
			if ctx.Err() != nil || transient(err) || errors.Is(err, fdbevents.ErrStreamNotFound) {
				return nil
			}
			return err
		}
		if next >= 0 && ev.Revision != next || !strings.HasPrefix(ev.Stream, stream) {
			r.checker.verdict.add(disagreeing, "backward: got %q@%d where revision %d of %q should be", ev.Stream, ev.Revision, next, stream)
		}
		next = ev.Revision - 1
	}
	return nil
}
