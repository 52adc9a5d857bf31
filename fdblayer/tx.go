package fdblayer

import (
	"context"
	"errors"
	"iter"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// Tx is one attempt at a transaction of Store.Transact. It is not safe for concurrent
// use, and must not be used after the function that received it has returned.
type Tx struct {
	store *Store
	tr    engine.Transaction
	plan  *plan
	// results are the results of all appends so far, in order.
	results []plannedResult
	// own is the view that the transaction writes if it is a batch of a projection.
	own ownView
}

// write returns the engine's transaction for writes that are not part of the plan, and
// marks the plan as dirty. All such writes must go through it: a transaction with an
// empty plan that is not dirty is not committed.
func (tx *Tx) write() engine.Transaction {
	tx.plan.dirty = true
	return tx.tr
}

// Transact runs fn and commits what it appended and wrote as one transaction. If fn
// returns an error, nothing is committed and Transact returns that error as it is. fn
// is run again after a conflict with another transaction, so it must have no effect
// except through tx. It is never run again after its transaction was committed. It has
// 5 seconds.
//
// Transact returns the results of fn's calls of Append and AppendIf, in order, with
// their positions. After ErrOutcomeUnknown the transaction may or may not have
// happened.
func (s *Store) Transact(ctx context.Context, fn func(tx *Tx) error) ([]fdbevents.AppendResult, error) {
	if err := s.enter(&s.calls); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	m := s.takeMarker()
	defer s.putMarker(m)
	var tx *Tx
	stamp, err := m.commit(ctx, func(p *plan) error {
		tx = &Tx{store: s, tr: p.tr, plan: p}
		return fn(tx)
	})
	if err != nil {
		if planned := (*plannedConditionError)(nil); errors.As(err, &planned) {
			return nil, errOwnCondition
		}
		return nil, err
	}
	return resolve(nil, tx.results, stamp), nil
}

// errOwnCondition is for a condition that fails on an event of the same transaction.
// The transaction is abandoned, so there is no position to name.
var errOwnCondition = errors.New("append condition failed: an event appended earlier in the same transaction matches the query")

// Append plans events for the end of a stream. The result has their revisions; the
// position is known only after the commit. Later appends of the same transaction see
// this one; ReadStream does not.
func (tx *Tx) Append(stream string, expected fdbevents.ExpectedRevision, events ...fdbevents.EventData) (fdbevents.AppendResult, error) {
	results, err := tx.append(nil, []fdbevents.StreamAppend{{Stream: stream, Expected: expected, Events: events}})
	if err != nil {
		return fdbevents.AppendResult{}, err
	}
	return results[0], nil
}

// AppendIf plans appends on a condition; see Store.AppendIf.
func (tx *Tx) AppendIf(condition fdbevents.Condition, appends ...fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	return tx.append(&condition, appends)
}

func (tx *Tx) append(condition *fdbevents.Condition, appends []fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	r, err := tx.store.newRequest(condition, appends)
	if err != nil {
		return nil, err
	}
	if total := tx.plan.cost + r.cost; total > transactionBudget {
		return nil, &fdbevents.LimitError{What: "appends of a transaction, as stored", Got: total, Limit: transactionBudget, Unit: "bytes"}
	}
	if total := len(tx.plan.events) + r.count; total > fdbevents.MaxAppendEvents {
		return nil, &fdbevents.LimitError{What: "events of a transaction", Got: int64(total), Limit: fdbevents.MaxAppendEvents, Unit: "events"}
	}
	tx.plan.fetch(r)
	before := len(tx.results)
	if tx.results, err = tx.plan.apply(tx.results, r); err != nil {
		return nil, err
	}
	tx.plan.cost += r.cost
	return resolve(nil, tx.results[before:], engine.Stamp{}), nil
}

// ReadStream reads a stream's events from a revision on, without those that this
// transaction appends. If another transaction appends to the stream before this one
// commits, this one is run again.
func (tx *Tx) ReadStream(stream string, from int64) iter.Seq2[fdbevents.Event, error] {
	return func(yield func(fdbevents.Event, error) bool) {
		if err := fdbevents.ValidateStreamName(stream); err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		if err := tx.plan.load(tx.plan.stream(stream)); err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		var c cursor = tx.store.newStreamCursor(stream, from, ReadOptions{})
		for {
			p, next, err := c.read(newReader(tx.tr))
			if err != nil {
				yield(fdbevents.Event{}, err)
				return
			}
			for _, ev := range p.events {
				if !yield(*ev, nil) {
					return
				}
			}
			if p.tail {
				return
			}
			c = next
		}
	}
}

// Data returns the application's key-value space with this name, for read models and
// anything else that must change together with appends.
func (tx *Tx) Data(name string) *Data {
	return &Data{tx: tx, all: tx.store.keys.Data(name)}
}

// Engine returns the transaction itself, for keys outside the store: tables in the same
// FoundationDB cluster that do not belong to fdbevents. Reading or writing keys below
// the store's prefix through it can break the store. The caller must not call its
// Commit, OnError or Cancel.
func (tx *Tx) Engine() engine.Transaction { return tx.write() }
