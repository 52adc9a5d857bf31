package fdblayer

import (
	"context"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// Retention bounds what readers of a stream see. The zero value is no bound.
//
// SetRetention, Truncate, Delete and Tombstone change what readers of the stream see at
// once. A read or subscription of the stream that is under way, and whose next event is
// no longer there, ends with a *TruncatedError.
//
// The log is not affected: it is what happened. ReadAll, subscriptions to all streams,
// consumer groups, projections and append conditions still see hidden events until
// Scavenge has removed them.
type Retention struct {
	// MaxAge hides events that were Created longer ago than this, by the reader's
	// clock. 0 is no bound.
	MaxAge time.Duration
	// MaxCount hides all but the newest MaxCount events. 0 is no bound.
	MaxCount int64
}

// SetRetention replaces a stream's retention. The stream need not have events. The zero
// Retention keeps every event that has not been scavenged yet.
func (s *Store) SetRetention(ctx context.Context, stream string, r Retention) error {
	return s.changeStream(ctx, "setting retention", func(tx *Tx) error { return tx.SetRetention(stream, r) })
}

// Truncate hides the events of a stream before a revision, which becomes the first that
// readers see. fdbevents.StreamEnd hides all events. Truncating before a revision that
// is already hidden changes nothing.
func (s *Store) Truncate(ctx context.Context, stream string, before int64) error {
	return s.changeStream(ctx, "truncating", func(tx *Tx) error { return tx.Truncate(stream, before) })
}

// Delete hides all events of a stream. The stream then does not exist: NoStream holds,
// and reading it fails with ErrStreamNotFound. An append creates it again, and its
// revisions continue where they were.
//
// Errors: *WrongExpectedRevisionError, ErrStreamNotFound, ErrStreamDeleted.
func (s *Store) Delete(ctx context.Context, stream string, expected fdbevents.ExpectedRevision) error {
	return s.changeStream(ctx, "deleting", func(tx *Tx) error { return tx.Delete(stream, expected) })
}

// Tombstone deletes a stream for ever: reading it and appending to it then fail with
// ErrStreamDeleted. The stream need not exist.
//
// Errors: *WrongExpectedRevisionError, ErrStreamDeleted.
func (s *Store) Tombstone(ctx context.Context, stream string, expected fdbevents.ExpectedRevision) error {
	return s.changeStream(ctx, "deleting permanently", func(tx *Tx) error { return tx.Tombstone(stream, expected) })
}

func (s *Store) changeStream(ctx context.Context, what string, fn func(tx *Tx) error) error {
	if _, err := s.Transact(ctx, fn); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// SetRetention is Store.SetRetention within a transaction.
func (tx *Tx) SetRetention(stream string, r Retention) error {
	if r.MaxAge < 0 {
		return &fdbevents.InvalidError{What: "max age", Value: r.MaxAge.String(), Reason: "want 0 for no limit, or more"}
	}
	if r.MaxCount < 0 {
		return &fdbevents.InvalidError{What: "max count", Value: fmt.Sprint(r.MaxCount), Reason: "want 0 for no limit, or more"}
	}
	return tx.changeHead(stream, func(h *layout.Head) error {
		h.MaxAge, h.MaxCount = r.MaxAge, r.MaxCount
		return nil
	})
}

// Truncate is Store.Truncate within a transaction. It can hide everything before an
// event that was appended earlier in the same transaction, for example the events that
// a snapshot replaces.
func (tx *Tx) Truncate(stream string, before int64) error {
	return tx.changeHead(stream, func(h *layout.Head) error {
		switch {
		case before == fdbevents.StreamEnd:
			before = h.Next
		case before < 0 || before > h.Next:
			return &fdbevents.InvalidError{What: "truncate before revision", Value: fmt.Sprint(before), Reason: fmt.Sprintf("the next revision of stream %q is %d; want 0 to that, or fdbevents.StreamEnd for all", stream, h.Next)}
		}
		h.TruncateBefore = max(h.TruncateBefore, before)
		return nil
	})
}

// Delete is Store.Delete within a transaction.
func (tx *Tx) Delete(stream string, expected fdbevents.ExpectedRevision) error {
	return tx.remove(stream, expected, layout.StateDeleted)
}

// Tombstone is Store.Tombstone within a transaction.
func (tx *Tx) Tombstone(stream string, expected fdbevents.ExpectedRevision) error {
	return tx.remove(stream, expected, layout.StateTombstoned)
}

func (tx *Tx) remove(stream string, expected fdbevents.ExpectedRevision, state layout.StreamState) error {
	if err := expected.Validate(); err != nil {
		return err
	}
	if err := fdbevents.ValidateStreamName(stream); err != nil {
		return err
	}
	st := tx.plan.stream(stream)
	if err := tx.plan.load(st); err != nil {
		return err
	}
	if err := tx.plan.expect(st, expected); err != nil {
		return err
	}
	return tx.changeHead(stream, func(h *layout.Head) error {
		if state == layout.StateDeleted && !h.Exists() {
			return &fdbevents.NotFoundError{What: "stream", Name: stream}
		}
		h.State, h.TruncateBefore = state, h.Next
		return nil
	})
}

// changeHead plans a change of a stream's head. A tombstoned stream cannot be changed.
func (tx *Tx) changeHead(stream string, change func(h *layout.Head) error) error {
	if err := fdbevents.ValidateStreamName(stream); err != nil {
		return err
	}
	st := tx.plan.stream(stream)
	if err := tx.plan.load(st); err != nil {
		return err
	}
	if st.head.State == layout.StateTombstoned {
		return fmt.Errorf("stream %q: %w", stream, fdbevents.ErrStreamDeleted)
	}
	if err := change(&st.head); err != nil {
		return err
	}
	st.changed = true
	return nil
}
