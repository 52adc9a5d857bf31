package fdblayer

import (
	"context"
	"errors"
	"iter"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// Tx is one attempt at a transaction of Store.Transact. It is not safe for
// concurrent use, and not to be used after the function that got it returned.
type Tx struct {
	store   *Store
	tr      engine.Transaction
	plan    *plan
	results []plannedResult
	// own is the view that the transaction writes, when it is a projection's batch.
	own ownView
}

// write is the engine's transaction for what is written beside the plan. All such
// writes go through it: a transaction that is not dirty, and has no plan, is not
// committed.
func (tx *Tx) write() engine.Transaction {
	tx.plan.dirty = true
	return tx.tr
}

// Transact runs fn and commits what it appended and wrote as one transaction, or
// nothing when fn returns an error, which Transact then returns as it is. fn is
// run again when another transaction got in the way, so it must have no effect
// but through tx; it is never run again after its transaction was committed. It
// has 5 seconds.
//
// The results are those of the calls of Append and AppendIf, in order, with
// positions. After ErrOutcomeUnknown the transaction may have happened or not.
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

// errOwnCondition is for a condition that fails on an event which is part of the
// same, therefore abandoned, transaction: there is no position to name.
var errOwnCondition = errors.New("append condition failed: an event appended earlier in the same transaction matches the query")

// Append plans events for the end of a stream. Their revisions are in the
// result; the position is known after the commit. Later appends of the same
// transaction see this one; ReadStream does not.
func (tx *Tx) Append(stream string, expected fdbevents.ExpectedRevision, events ...fdbevents.EventData) (fdbevents.AppendResult, error) {
	results, err := tx.append(nil, []fdbevents.StreamAppend{{Stream: stream, Expected: expected, Events: events}})
	if err != nil {
		return fdbevents.AppendResult{}, err
	}
	return results[0], nil
}

// AppendIf plans appends on a condition, see Store.AppendIf.
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
// transaction appends. The transaction fails to commit, and is run again, if
// another one appends to the stream meanwhile.
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

// Data is the application's own key-value space of that name in the store, for
// read models and whatever else shall change together with appends.
func (tx *Tx) Data(name string) *Data {
	return &Data{tx: tx, all: tx.store.keys.Data(name)}
}

// Engine is the transaction itself, for keys outside of the store's own: tables
// of the same FoundationDB cluster that do not belong to fdbevents. Writing
// through it, or reading keys below the store's prefix, can break the store.
// Its Commit, OnError and Cancel are not for the caller.
func (tx *Tx) Engine() engine.Transaction { return tx.write() }
