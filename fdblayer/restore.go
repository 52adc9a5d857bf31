package fdblayer

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// RestoreOptions are for Store.Restore. The zero value is good.
type RestoreOptions struct {
	// Renumber gives the events the next revisions of their streams. It is for a
	// selection of events, whose own revisions have gaps.
	Renumber bool
}

// RestoreResult is what a Restore did.
type RestoreResult struct {
	// Events are in the store now; Repeats of them had been before.
	Events, Repeats int64
	// Renumbered are the streams of which an event has another revision than it had.
	Renumbered map[string]bool
}

// RestoreConflictError refuses to restore what does not fit to what the store
// has.
type RestoreConflictError struct {
	Stream string
	// Revision is the one that cannot be restored.
	Revision int64
	// ID is the event's, or zero when it is about the stream as a whole.
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

// Kind is Conflict.
func (e *RestoreConflictError) Kind() fdbevents.Kind { return fdbevents.Conflict }

// restoreEvents is how many events go into one transaction of a Restore.
const restoreEvents = 500

// Restore appends events as another store had them, in the order given: with their
// ids, tags, contents and times, and erased where they were. Positions are new.
// An event that is in its stream already is a repeat, and passed over, so that
// what was interrupted is simply done again.
//
// Revisions stay. A stream that has never had events begins with the revision that
// it is given first: those before count as scavenged. Where the store has other
// events, a *RestoreConflictError names stream and revision, unless
// RestoreOptions.Renumber is set.
//
// It takes as many transactions as it needs, one after the other; after an error,
// the result tells how many of the events, from the first on, are in the store.
// events must not be modified until it returns.
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

// restoreBatch takes the first events, as many as are good for one transaction.
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
		return &fdbevents.InvalidError{What: "event", Value: ev.ID.String(), Reason: "wants a content type and the time when it was created"}
	case ev.Erased && len(ev.Data)+len(ev.Metadata) > 0:
		return &fdbevents.InvalidError{What: "erased event", Value: ev.ID.String(), Reason: "must not have data or metadata"}
	}
	return ne.Validate()
}

// present is where an event that is to be restored is already.
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

// present looks the events up, all side by side, and starts reading what restore
// will need.
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

// restore plans one event, or finds that it is there.
func (tx *Tx) restore(ev *fdbevents.Event, ne *fdbevents.EventData, there present, o RestoreOptions, result *RestoreResult) error {
	p := tx.plan
	conflict := func(format string, args ...any) error {
		return &RestoreConflictError{Stream: ev.Stream, Revision: ev.Revision, ID: ev.ID, Reason: fmt.Sprintf(format, args...)}
	}
	known := p.id(ev.Stream, ev.ID)
	if known.index >= 0 {
		return conflict("it is there twice, the first time as revision %d", p.events[known.index].revision)
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
		// Where it comes from, those before it are gone.
		st.head.Next, st.head.TruncateBefore = ev.Revision, ev.Revision
	case st.head.Next > ev.Revision:
		return conflict("the store has another event as this revision")
	default:
		return conflict("the store has revision %d as its next, and those between are missing", st.head.Next)
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

// restoredDifference says how the stored event differs from the one to be
// restored, "" if it does not, or if its content is gone.
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
		return "where its data is not erased; erase it there first, as it was where it comes from", nil
	}
	return contentDifference(old.Type, old.ContentType, old.Tags, old.Data, old.Metadata, ne), nil
}

// RestoreStreams makes streams behave as they did in another store: retention,
// metadata, what is truncated, deleted or tombstoned. Restore their events first.
// What the infos say replaces what the store has, but it never brings back what is
// hidden, and a stream that has gone on since is not deleted: tombstoning it is a
// *RestoreConflictError.
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
		h.Next = info.TruncateBefore // all of it was scavenged
	}
	h.TruncateBefore = max(h.TruncateBefore, min(info.TruncateBefore, h.Next))
	h.MaxAge, h.MaxCount, h.Metadata = info.Retention.MaxAge, info.Retention.MaxCount, info.Metadata
	wentOn := h.Next > info.LastRevision+1
	switch {
	case info.Tombstoned && wentOn:
		return &RestoreConflictError{Stream: info.Stream, Revision: info.LastRevision + 1,
			Reason: fmt.Sprintf("it is tombstoned after %d events where it comes from, but has %d here", info.LastRevision+1, h.Next)}
	case info.Tombstoned:
		h.State, h.TruncateBefore = layout.StateTombstoned, h.Next
	case info.Deleted && !wentOn && h.Next > 0:
		h.State, h.TruncateBefore = layout.StateDeleted, h.Next
	}
	st.changed = true
	return nil
}
