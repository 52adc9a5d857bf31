package main

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
)

const (
	countersName = "soak"
	// countChain is the number of the first chain that is kept in a key.
	countChain = 1000
	// countChains is the number of these chains.
	countChains = 2
)

// adds counts an event in a key of the same transaction.
func (w *writer) adds(ctx context.Context) error {
	b := batch{w: w, count: 1}
	b.add(fmt.Sprint("counted-", w.number), fdbevents.Any, counted, 0, 1)
	w.witness.sent(w.number, true, w.seq)
	var results []fdbevents.AppendResult
	unknown, again, err := w.do(ctx, w.slot, func(s *fdblayer.Store) (err error) {
		results, err = s.Transact(ctx, func(tx *fdblayer.Tx) error {
			r, err := tx.Append(b.appends[0].Stream, fdbevents.Any, b.appends[0].Events...)
			if err == nil && !r.Repeat {
				tx.Data(countersName).Add([]byte("adds"), 1)
			}
			return err
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("counting %s: %w", ident{w.number, w.seq}, err)
	}
	w.report(w.seq, true, b.appends, results, again, unknown)
	w.seq++
	return nil
}

// once does what cannot be repeated: a transaction without events, and an append
// without an ID. If their outcome is unknown, it stays unknown; otherwise, the store
// itself has found it out.
func (w *writer) once(ctx context.Context, c *checker) error {
	s, err := w.site.store(ctx, w.slot)
	if err != nil {
		return err
	}
	_, err = s.Transact(ctx, func(tx *fdblayer.Tx) error {
		tx.Data(countersName).Add([]byte("bare"), 1)
		return nil
	})
	switch {
	case err == nil:
		c.sure.Add(1)
	case isUnknown(err):
		c.unsure.Add(1)
	case !transient(err):
		return fmt.Errorf("counting: %w", err)
	}
	b := batch{w: w, count: 1}
	b.add(fmt.Sprint("once-", w.number), fdbevents.Any, nameless, 0, 1)
	b.appends[0].Events[0].ID = uuid.Nil
	seq := w.seq
	w.seq++
	w.witness.sent(w.number, true, seq)
	result, err := s.Append(ctx, b.appends[0].Stream, fdbevents.Any, b.appends[0].Events...)
	switch {
	case err == nil:
		w.report(seq, true, b.appends, []fdbevents.AppendResult{result}, 0, 0)
	case isUnknown(err):
		c.unknown.Add(1)
	case !transient(err):
		return fmt.Errorf("%s: %w", ident{w.number, seq}, err)
	default:
		w.witness.refused(ident{w.number, seq})
	}
	return nil
}

// numbers appends an event with the number that a key holds, and increments the key.
// What it appends depends on what it reads, so sending the same event again would not
// do: a second key says whether the transaction has happened.
func (w *writer) numbers(ctx context.Context) error {
	chain := countChain + w.number%countChains
	key, mine := fmt.Appendf(nil, "chain-%d", chain), fmt.Appendf(nil, "writer-%d", w.number)
	w.witness.sent(w.number, true, w.seq)
	var results []fdbevents.AppendResult
	var b batch
	unknown, again, err := w.do(ctx, w.slot, func(s *fdblayer.Store) (err error) {
		results, err = s.Transact(ctx, func(tx *fdblayer.Tx) error {
			data := tx.Data(countersName)
			done, err := data.Get(mine)
			if err != nil || number(done) == uint64(w.seq)+1 {
				return err
			}
			value, err := data.Get(key)
			if err != nil {
				return err
			}
			b = batch{w: w, count: 1}
			b.add(fmt.Sprint("numbered-", w.number), fdbevents.Any, chained, uint64(chain)<<32|number(value), 1)
			data.Set(key, binary.LittleEndian.AppendUint64(nil, number(value)+1))
			data.Set(mine, binary.LittleEndian.AppendUint64(nil, uint64(w.seq)+1))
			_, err = tx.Append(b.appends[0].Stream, fdbevents.Any, b.appends[0].Events...)
			return err
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("numbering %s: %w", ident{w.number, w.seq}, err)
	}
	if len(results) == 1 {
		w.report(w.seq, true, b.appends, results, again, unknown)
	} else { // an earlier attempt succeeded, and nobody knows where the event is
		w.witness.appended(report{Writer: w.number, First: w.seq, Ordered: true, Repeated: again, Unknown: unknown,
			Results: []reported{{Nowhere: true, Count: 1}}})
	}
	w.seq++
	return nil
}

func number(value []byte) uint64 {
	if value == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(value)
}
