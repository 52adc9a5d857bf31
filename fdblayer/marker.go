package fdblayer

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// marker numbers the consecutive transactions of one user and writes the number to a
// key of the store, the mark. After an unknown commit, the mark shows whether the last
// transaction is in. A marker is not safe for concurrent use: it is lent to one batch
// or Transact at a time.
type marker struct {
	store *Store
	key   []byte
	// number is the number of the last transaction begun.
	number uint64
}

// commit calls attempt with a plan, writes the plan and the mark, and commits, and
// retries as engine.Run does. It does not call attempt again once the transaction is
// committed. The stamp is zero if nothing was written.
func (m *marker) commit(ctx context.Context, attempt func(p *plan) error) (engine.Stamp, error) {
	s := m.store
	m.number++
	var (
		pending bool  // the last attempt that wrote may have committed
		doubt   bool  // the outcome of some attempt is unknown
		began   int64 // read version of the last attempt that wrote
		// mutations is the number of mutations of the last attempt that wrote.
		mutations int
		stamp     engine.Future[engine.Stamp]
	)
	err := engine.Run(ctx, s.engine, func(tr engine.Transaction, prior error) error {
		s.retried(prior)
		if doubt = engine.MaybeCommitted(prior); pending && doubt {
			in, err := m.committed(tr, began)
			if err != nil || in != nil {
				stamp = in
				return err
			}
		}
		pending = false
		stamp = nil
		p := s.newPlan(tr, doubt)
		if err := attempt(p); err != nil {
			return err
		}
		if p.empty() && !p.dirty {
			return nil
		}
		version, err := tr.ReadVersion().Get()
		if err == nil {
			err = p.confirm()
		}
		if err != nil {
			return err
		}
		// The conflict keeps an attempt that was given up, but lands late, from
		// following a later attempt with the same marker.
		tr.AddReadConflict(engine.KeyRange(m.key))
		mutations = 1 + p.write()
		tr.Atomic(engine.OpVersionstampedValue, m.key, layout.AppendStampedMark(nil, m.number))
		pending, began, stamp = true, version, tr.Versionstamp()
		s.marked.Store(true)
		return nil
	})
	if err != nil {
		err = translate(err)
		if pending && (doubt || engine.MaybeCommitted(err)) {
			err = fmt.Errorf("%w: %w", fdbevents.ErrOutcomeUnknown, err)
		}
		return engine.Stamp{}, err
	}
	if stamp == nil {
		return engine.Stamp{}, nil
	}
	s.stats.batches.Add(1)
	s.stats.mutations.Add(int64(mutations))
	got, err := stamp.Get()
	if err != nil {
		return got, fmt.Errorf("%w: reading its versionstamp: %w", fdbevents.ErrOutcomeUnknown, err)
	}
	return got, nil
}

// committed returns the stamp of the marker's last transaction if it is in the store,
// otherwise nil. began is the read version of the attempt in doubt.
func (m *marker) committed(tr engine.Transaction, began int64) (engine.Future[engine.Stamp], error) {
	value, err := tr.Get(m.key).Get()
	if err != nil {
		return nil, err
	}
	if value == nil {
		// There is no mark: the attempt was not committed, or it was, so long ago that
		// the mark was swept as one of a process that is gone.
		now, err := tr.ReadVersion().Get()
		if err == nil && now-began > markHorizon {
			err = fdbevents.ErrOutcomeUnknown
		}
		return nil, err
	}
	mark, err := layout.DecodeMark(value)
	if err != nil {
		return nil, fmt.Errorf("mark %x: %w", m.key, err)
	}
	if mark.Number != m.number {
		return nil, nil
	}
	m.store.stats.unknownResolved.Add(1)
	return knownStamp(layout.StampOf(mark.At)), nil
}

// markHorizon is the least number of versions for which a mark is kept: more than a day
// at FoundationDB's million per second. It only decides how soon the marks of processes
// that are gone are removed; see marker.committed.
const markHorizon = 100_000_000_000

// sweepMarks removes the marks of processes that ended without closing their store and
// have not written for markHorizon. It looks at a bounded number of keys and leaves the
// rest to the next call.
func (s *Store) sweepMarks(ctx context.Context) error {
	return engine.Run(ctx, s.engine, func(tr engine.Transaction, _ error) error {
		now, err := tr.ReadVersion().Get()
		if err != nil {
			return err
		}
		page, err := tr.Snapshot().GetRange(s.keys.Marks(uuid.Nil), engine.RangeOptions{Limit: 1000}).Get()
		if err != nil {
			return err
		}
		for _, kv := range page.KeyValues {
			mark, err := layout.DecodeMark(kv.Value)
			if err != nil {
				return fmt.Errorf("mark %x: %w", kv.Key, err)
			}
			if now-mark.At.Version() > markHorizon {
				// A process that writes this mark at the same time wins.
				tr.AddReadConflict(engine.KeyRange(kv.Key))
				tr.Clear(kv.Key)
			}
		}
		return nil
	})
}

// knownStamp is a future whose stamp is already known.
type knownStamp engine.Stamp

func (k knownStamp) Get() (engine.Stamp, error) { return engine.Stamp(k), nil }
