package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// keeper appends to a stream, truncates it and deletes it, and knows at any moment what
// readers must see.
type keeper struct {
	*writer
	checker *checker
	stream  string
	life    *life
}

// keep appends some events, makes one change, and checks what readers see.
func (k *keeper) keep(ctx context.Context) error {
	rng := draws(k.seed, ident{k.number, k.seq})
	for range 20 + rng.IntN(30) {
		b := batch{w: k.writer, count: 1}
		b.add(k.stream, fdbevents.Any, fleeting, 0, 1)
		if err := k.append(ctx, b, rng); err != nil {
			return err
		}
		k.life.next, k.life.deleted = k.life.next+1, false
		k.life.first()
		if k.stopped() {
			break
		}
	}
	what, change := "truncate", func(s *fdblayer.Store) error { return nil }
	switch n := rng.IntN(10); {
	case n < 5:
		before := k.life.before + rng.Int64N(k.life.next-k.life.before+1)
		change = func(s *fdblayer.Store) error { return s.Truncate(ctx, k.stream, before) }
		k.life.before = before
	case n < 7:
		k.life.maxCount = rng.Int64N(60)
		what, change = "retain", func(s *fdblayer.Store) error {
			return s.SetRetention(ctx, k.stream, fdblayer.Retention{MaxCount: k.life.maxCount})
		}
	case n < 9:
		tried := false
		what, change = "delete", func(s *fdblayer.Store) error {
			err := s.Delete(ctx, k.stream, fdbevents.Any)
			if tried && errors.Is(err, fdbevents.ErrStreamNotFound) {
				return nil // an earlier attempt deleted it
			}
			tried = true
			return err
		}
		k.life.before, k.life.deleted = k.life.next, true
	}
	k.life.first()
	if _, _, err := k.do(ctx, k.slot, change); err != nil {
		return fmt.Errorf("%s %q: %w", what, k.stream, err)
	}
	return k.look(ctx)
}

// look reads the stream and compares it with what readers must see.
func (k *keeper) look(ctx context.Context) error {
	var revisions []int64
	_, _, err := k.do(ctx, k.slot, func(s *fdblayer.Store) error {
		revisions = nil
		for ev, err := range s.ReadStream(ctx, k.stream, fdbevents.StreamStart, fdblayer.ReadOptions{}) {
			if errors.Is(err, fdbevents.ErrStreamNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			revisions = append(revisions, ev.Revision)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading %q: %w", k.stream, err)
	}
	k.checker.visible(k.stream, revisions)
	return nil
}

// scavenge now and then removes events that no reader sees.
func (c *crew) scavenge(ctx context.Context) error {
	life, end := c.until(ctx)
	defer end()
	select {
	case <-time.After(2 * time.Second):
	case <-life.Done():
		return nil
	}
	_, _, err := c.do(life, 2, func(s *fdblayer.Store) error {
		_, err := s.Scavenge(life, fdblayer.ScavengeOptions{})
		return err
	})
	if life.Err() != nil {
		return nil
	}
	return err
}
