package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// claims hands out the claim to win next: the same one to all until somebody has won
// it.
type claims struct{ next atomic.Uint64 }

// tagged returns a query for one tag.
func tagged(tag string) fdbevents.Query {
	return fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{tag}}}}
}

// claims tries to claim one number that other writers want, too.
func (w *writer) claims(ctx context.Context) error {
	number := w.claim.next.Load()
	tag := fmt.Sprint("claim:", number)
	b := batch{w: w, count: 1}
	b.add(fmt.Sprint("claims-", number%8), fdbevents.Any, claim, number, 1, tag)
	won, err := w.appendIf(ctx, fdbevents.Condition{Query: tagged(tag)}, b)
	var failed *fdbevents.ConditionError
	switch {
	case errors.As(err, &failed):
		w.witness.lost(number, failed.Position)
	case err != nil:
		return err
	case !won:
		return nil
	}
	w.claim.next.CompareAndSwap(number, number+1)
	return nil
}

// appendIf sends a batch until it is acknowledged or its condition fails. It returns
// true when the batch is acknowledged.
func (w *writer) appendIf(ctx context.Context, condition fdbevents.Condition, b batch) (bool, error) {
	first := w.seq
	w.seq += uint32(b.count)
	w.witness.sent(w.number, true, w.seq-1)
	var results []fdbevents.AppendResult
	unknown, again, err := w.do(ctx, w.slot, func(s *fdblayer.Store) (err error) {
		results, err = s.AppendIf(ctx, condition, b.appends...)
		return err
	})
	if failed := (*fdbevents.ConditionError)(nil); errors.As(err, &failed) {
		for i := range b.count {
			w.witness.refused(ident{w.number, first + uint32(i)})
		}
		return false, err
	}
	if err != nil {
		return false, fmt.Errorf("append with a condition, from %s on: %w", ident{w.number, first}, err)
	}
	w.report(first, true, b.appends, results, again, unknown)
	return true, nil
}

// chain is what a writer knows about a chain: how many events it has, and where the
// last one is.
type chain struct {
	*writer
	number uint32
	known  uint32
	at     fdbevents.Position
}

// chainsInAll is the number of chains, each of which several writers extend.
const chainsInAll = 4

// extend appends to the chain an event that no other writer may append at the same
// time.
func (c *chain) extend(ctx context.Context) error {
	q := tagged(fmt.Sprint("chain:", c.number))
	b := batch{w: c.writer, count: 1}
	b.add(fmt.Sprint("chains-", c.writer.number), fdbevents.Any, chained, uint64(c.number)<<32|uint64(c.known), 1, q.Items[0].Tags...)
	_, err := c.appendIf(ctx, fdbevents.Condition{Query: q, After: c.at}, b)
	if failed := (*fdbevents.ConditionError)(nil); err != nil && !errors.As(err, &failed) {
		return err
	}
	return c.learn(ctx, q)
}

// learn reads what has been appended to the chain since.
func (c *chain) learn(ctx context.Context, q fdbevents.Query) error {
	_, _, err := c.do(ctx, c.slot, func(s *fdblayer.Store) error {
		for ev, err := range s.ReadAll(ctx, c.at, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: q}}) {
			if err != nil {
				return err
			}
			if c.at.Before(ev.Position) {
				c.known++
				c.at = ev.Position
			}
		}
		return nil
	})
	return err
}
