package fdblayer

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// RestoreOptions are the options of Store.Restore. The zero value is a good default.
type RestoreOptions struct {
	// Renumber gives the events the next revisions of their streams. It is for a
	// selection of events, whose own revisions have gaps.
	Renumber bool
}

// RestoreResult says what a Restore did.
type RestoreResult struct {
	// Events is the number of events that are in the store now, Repeats how many of
	// them already were.
	Events, Repeats int64
	// Renumbered has the streams with an event whose revision is no longer what it was.
	// It is nil if there are none.
	Renumbered map[string]bool
}

// RestoreConflictError refuses to restore something that does not fit what the store
// already has.
type RestoreConflictError struct {
	Stream string
	// Revision is the revision that cannot be restored.
	Revision int64
	// ID is the event's id, or zero if the error is about the stream as a whole.
	ID uuid.UUID
	// Reason says what is in the way.
	Reason string
}

func (e *RestoreConflictError) Error() string {
	what := fmt.Sprintf("stream %q", e.Stream)
	if e.ID != uuid.Nil {
		what = fmt.Sprintf("event %s of stream %q, revision %d", e.ID, e.Stream, e.Revision)
	}
	return fmt.Sprintf("%s cannot be restored: %s; restore it into a store that does not have this stream", what, e.Reason)
}

// Kind returns Conflict.
func (e *RestoreConflictError) Kind() fdbevents.Kind { return fdbevents.Conflict }

// restoreEvents is the most events in one transaction of a Restore.
const restoreEvents = 500

// Restore appends events as another store had them, in the order given: with their ids,
// tags, contents and times, and erased if they were erased there. Their positions are
// new. An event that is already in its stream is a repeat and is passed over, so an
// interrupted Restore can simply be run again.
//
// Revisions are kept. A stream that has never had events begins with the first revision
// given for it, and the revisions before it count as scavenged. If the store has other
// events there, a *RestoreConflictError names the stream and revision, unless
// RestoreOptions.Renumber is set.
//
// Restore takes as many transactions as it needs, one after the other. After an error,
// the result says how many of the events, counted from the first, are in the store. The
// caller must not modify events until Restore returns.
func (s *Store) Restore(ctx context.Context, events []fdbevents.Event, o RestoreOptions) (total RestoreResult, err error) {
	for len(events) > 0 {
		batch, n, err := s.restoreBatch(events)
		if err != nil {
			return total, fmt.Errorf("restoring: %w", err)
		}
		result, err := s.restore(ctx, events[:n], batch, o)
		if err != nil {
			return total, fmt.Errorf("restoring: %w", err)
		}
		total.Events += result.Events
		total.Repeats += result.Repeats
		for stream := range result.Renumbered {
			total.renumbered(stream)
		}
		events = events[n:]
	}
	return total, nil
}

// restoreBatch takes as many of the first events as fit well into one transaction.
func (s *Store) restoreBatch(events []fdbevents.Event) (batch []fdbevents.EventData, n int, err error) {
	var cost int64
	for n < min(len(events), restoreEvents) {
		ev := &events[n]
		ne := fdbevents.EventData{ID: ev.ID, Type: ev.Type, ContentType: ev.ContentType, Tags: ev.Tags, Created: ev.Created, Data: ev.Data, Metadata: ev.Metadata}
		if err := checkRestored(ev, &ne); err != nil {
			return nil, 0, fmt.Errorf("event %s of stream %q, revision %d: %w", ev.ID, ev.Stream, ev.Revision, err)
		}
		own, inline := s.cost(ev.Stream, &ne)
		if own > transactionBudget {
			return nil, 0, &fdbevents.LimitError{What: "event with its stream name and tags, as stored", Got: own, Limit: transactionBudget, Unit: "bytes"}
		}
		if n > 0 && cost+own+inline > maxBatchCost {
			break
		}
		cost += own + inline
		batch = append(batch, ne)
		n++
	}
	return batch, n, nil
}

func checkRestored(ev *fdbevents.Event, ne *fdbevents.EventData) error {
	if err := fdbevents.ValidateStreamName(ev.Stream); err != nil {
		return err
	}
	switch {
	case ev.ID == uuid.Nil:
		return &fdbevents.InvalidError{What: "event id", Value: ev.ID.String(), Reason: "must not be zero"}
	case ev.Revision < 0 || ev.Revision == fdbevents.StreamEnd:
		return &fdbevents.InvalidError{What: "revision", Value: fmt.Sprint(ev.Revision), Reason: "want 0 or more"}
	case ev.ContentType == "" || ev.Created.IsZero():
		return &fdbevents.InvalidError{What: "event", Value: ev.ID.String(), Reason: "must have a content type and a creation time"}
	case ev.Erased && len(ev.Data)+len(ev.Metadata) > 0:
		return &fdbevents.InvalidError{What: "erased event", Value: ev.ID.String(), Reason: "must not have data or metadata"}
	}
	return ne.Validate()
}

// present says whether and where an event to be restored already is.
type present struct {
	found bool
	at    layout.IDEntry
	entry engine.Future[[]byte]
}

// restore restores a batch in one transaction.
func (s *Store) restore(ctx context.Context, events []fdbevents.Event, batch []fdbevents.EventData, o RestoreOptions) (result RestoreResult, err error) {
	_, err = s.Transact(ctx, func(tx *Tx) error {
		result = RestoreResult{}
		all, err := tx.present(events)
		if err != nil {
			return err
		}
		for i := range events {
			if err := tx.restore(&events[i], &batch[i], all[i], o, &result); err != nil {
				return err
			}
		}
		return nil
	})
	return result, err
}

// present looks up all events in parallel, and starts the reads that restore will need.
func (tx *Tx) present(events []fdbevents.Event) ([]present, error) {
	for i := range events {
		tx.plan.id(events[i].Stream, events[i].ID)
	}
	all := make([]present, len(events))
	for i := range events {
		ev := &events[i]
		value, err := tx.plan.id(ev.Stream, ev.ID).stored.Get()
		if err != nil {
			return nil, fmt.Errorf("looking up event id %s: %w", ev.ID, err)
		}
		if value == nil {
			tx.plan.stream(ev.Stream)
			continue
		}
		p := &all[i]
		if p.at, err = layout.DecodeIDEntry(value); err != nil {
			return nil, fmt.Errorf("event id %s of stream %q: %w", ev.ID, ev.Stream, err)
		}
		p.found = true
		p.entry = tx.tr.Snapshot().Get(tx.store.keys.Entry(nil, ev.Stream, p.at.Revision))
	}
	return all, nil
}

// restore plans one event, or finds that it is already there.
func (tx *Tx) restore(ev *fdbevents.Event, ne *fdbevents.EventData, there present, o RestoreOptions, result *RestoreResult) error {
	p := tx.plan
	conflict := func(format string, args ...any) error {
		return &RestoreConflictError{Stream: ev.Stream, Revision: ev.Revision, ID: ev.ID, Reason: fmt.Sprintf(format, args...)}
	}
	known := p.id(ev.Stream, ev.ID)
	if known.index >= 0 {
		return conflict("it appears twice, first as revision %d", p.events[known.index].revision)
	}
	if there.found {
		if !o.Renumber && there.at.Revision != ev.Revision {
			return conflict("the store has it as revision %d", there.at.Revision)
		}
		if reason, err := tx.restoredDifference(ev, ne, there); err != nil || reason != "" {
			if err == nil {
				err = &fdbevents.IDConflictError{Stream: ev.Stream, ID: ev.ID, Revision: there.at.Revision, Reason: reason}
			}
			return err
		}
		result.Events++
		result.Repeats++
		if there.at.Revision != ev.Revision {
			result.renumbered(ev.Stream)
		}
		return nil
	}
	st := p.stream(ev.Stream)
	if err := p.load(st); err != nil {
		return err
	}
	switch {
	case st.head.State == layout.StateTombstoned:
		return fmt.Errorf("stream %q: %w", ev.Stream, fdbevents.ErrStreamDeleted)
	case st.head.Next == ev.Revision:
	case o.Renumber:
		result.renumbered(ev.Stream)
	case st.head.Next == 0:
		// The source store no longer has the events before this one.
		st.head.Next, st.head.TruncateBefore = ev.Revision, ev.Revision
	case st.head.Next > ev.Revision:
		return conflict("the store has another event at this revision")
	default:
		return conflict("the next revision in the store is %d, and those in between are missing", st.head.Next)
	}
	known.index = len(p.events)
	p.events = append(p.events, plannedEvent{stream: st, revision: st.head.Next, event: ne, erased: ev.Erased})
	st.head.Next++
	st.head.State, st.changed = layout.StateOpen, true
	result.Events++
	return nil
}

func (r *RestoreResult) renumbered(stream string) {
	if r.Renumbered == nil {
		r.Renumbered = make(map[string]bool)
	}
	r.Renumbered[stream] = true
}

// restoredDifference says how the stored event differs from the one to be restored, and
// returns "" if it does not, or if its content is gone.
func (tx *Tx) restoredDifference(ev *fdbevents.Event, ne *fdbevents.EventData, there present) (string, error) {
	value, err := there.entry.Get()
	if err != nil || value == nil {
		return "", err
	}
	s := tx.store
	key := s.keys.Entry(nil, ev.Stream, there.at.Revision)
	old, ok, err := s.readEntry(new(layout.RecordDecoder), tx.tr.Snapshot(), engine.KeyValue{Key: key, Value: value})
	switch {
	case err != nil || !ok || old.Erased:
		return "", err
	case ev.Erased:
		return "where its data is not erased; erase it there first, as it was in the source store", nil
	}
	return contentDifference(old.Type, old.ContentType, old.Tags, old.Data, old.Metadata, ne), nil
}

// RestoreStreams makes streams behave as they did in another store: their retention,
// their metadata, and whether they are truncated, deleted or tombstoned. Restore their
// events first. The infos replace what the store has, except that nothing hidden comes
// back. A stream that has had other events since is not deleted, and tombstoning it is
// a *RestoreConflictError.
func (s *Store) RestoreStreams(ctx context.Context, infos []StreamInfo) error {
	for len(infos) > 0 {
		n, size := 0, 0
		for n < min(len(infos), restoreEvents) && (n == 0 || size < maxBatchCost/2) {
			if err := checkStreamInfo(&infos[n]); err != nil {
				return fmt.Errorf("restoring stream %q: %w", infos[n].Stream, err)
			}
			size += len(infos[n].Stream) + len(infos[n].Metadata)
			n++
		}
		if _, err := s.Transact(ctx, func(tx *Tx) error {
			for i := range infos[:n] {
				tx.plan.stream(infos[i].Stream)
			}
			for i := range infos[:n] {
				if err := tx.restoreStream(&infos[i]); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return fmt.Errorf("restoring streams: %w", err)
		}
		infos = infos[n:]
	}
	return nil
}

func checkStreamInfo(info *StreamInfo) error {
	if err := fdbevents.ValidateStreamName(info.Stream); err != nil {
		return err
	}
	switch {
	case info.LastRevision < -1 || info.LastRevision >= fdbevents.StreamEnd-1:
		return &fdbevents.InvalidError{What: "last revision", Value: fmt.Sprint(info.LastRevision), Reason: "want -1 or more"}
	case info.TruncateBefore < 0 || info.TruncateBefore > info.LastRevision+1:
		return &fdbevents.InvalidError{What: "truncate before revision", Value: fmt.Sprint(info.TruncateBefore), Reason: fmt.Sprintf("want 0 to %d", info.LastRevision+1)}
	case info.Retention.MaxAge < 0 || info.Retention.MaxCount < 0:
		return &fdbevents.InvalidError{What: "retention", Value: fmt.Sprint(info.Retention), Reason: "want 0 or more"}
	case len(info.Metadata) > fdbevents.MaxStreamMetadata:
		return &fdbevents.LimitError{What: "stream metadata", Got: int64(len(info.Metadata)), Limit: fdbevents.MaxStreamMetadata, Unit: "bytes"}
	}
	return nil
}

// restoreStream plans the change of one stream's head.
func (tx *Tx) restoreStream(info *StreamInfo) error {
	st := tx.plan.stream(info.Stream)
	if err := tx.plan.load(st); err != nil {
		return err
	}
	h := &st.head
	if h.State == layout.StateTombstoned {
		return nil
	}
	if h.Next == 0 {
		h.Next = info.TruncateBefore // all its events were scavenged
	}
	h.TruncateBefore = max(h.TruncateBefore, min(info.TruncateBefore, h.Next))
	h.MaxAge, h.MaxCount, h.Metadata = info.Retention.MaxAge, info.Retention.MaxCount, info.Metadata
	wentOn := h.Next > info.LastRevision+1
	switch {
	case info.Tombstoned && wentOn:
		return &RestoreConflictError{Stream: info.Stream, Revision: info.LastRevision + 1,
			Reason: fmt.Sprintf("it is tombstoned after %d events in the source store, but has %d here", info.LastRevision+1, h.Next)}
	case info.Tombstoned:
		h.State, h.TruncateBefore = layout.StateTombstoned, h.Next
	case info.Deleted && !wentOn && h.Next > 0:
		h.State, h.TruncateBefore = layout.StateDeleted, h.Next
	}
	st.changed = true
	return nil
}
