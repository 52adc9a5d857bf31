package fdblayer

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// plan gathers the appends of one attempt at an engine transaction. It is not safe for
// concurrent use.
//
// An engine cannot read a stamped key back in the transaction that writes it. So all
// reads come first, appends are only planned, later appends see earlier ones through
// the plan, and write comes last.
type plan struct {
	store *Store
	tr    engine.Transaction
	// recheck makes the plan look up even the ids that the store chose, because an
	// earlier attempt may have stored them.
	recheck bool

	// indexes are the system indexes that this transaction assumes. header is read
	// serializably and must confirm them.
	indexes *indexSet
	header  engine.Future[[]byte]

	// streams holds the streams that are read or written, by name.
	streams map[string]*plannedStream
	// order holds the same streams in the order in which they were first named.
	order []*plannedStream
	// spare has room for more streams, readKeys for more keys to read.
	spare    []plannedStream
	readKeys layout.Arena
	// dirty is true if the caller writes keys of its own in addition to the plan.
	dirty bool
	// cost is the cost of the requests so far, in bytes. Only Tx maintains it.
	cost int64
	// events are in log order: the index of an event here is its index in the
	// transaction.
	events []plannedEvent
	// ids holds the event ids that are being looked up.
	ids map[idKey]*plannedID
	// scans holds the scans of the fetched requests that have conditions.
	scans map[*request][]*conditionScan
}

// plannedStream is a stream that the plan reads or writes.
type plannedStream struct {
	name      string
	partition int
	// stored is the read of the stored head, which load awaits.
	stored engine.Future[[]byte]
	// loaded is true once head holds the stored head and what the plan has changed
	// since.
	loaded bool
	// head is the head as this transaction will leave it.
	head layout.Head
	// changed is true if head has to be written.
	changed bool
}

// plannedEvent is an event that the plan appends.
type plannedEvent struct {
	stream   *plannedStream
	revision int64
	event    *fdbevents.EventData
	// pointerOnly is the pointersOnly of the event's request.
	pointerOnly bool
	// record is the encoded event; set by write.
	record []byte
	// erased is true for a restored event that had been erased in its source store.
	erased bool
}

type idKey struct {
	id     uuid.UUID
	stream string
}

// plannedID is an event id that is being looked up.
type plannedID struct {
	// stored is the read of the event id's entry.
	stored engine.Future[[]byte]
	// index is the index in plan.events of the event with this id, or -1.
	index int
}

// plannedResult is the result of an append whose position may not be known yet.
type plannedResult struct {
	result fdbevents.AppendResult
	// index is the index of the planned event whose position is result.Position, or -1
	// if that position is already known.
	index int
}

// plannedConditionError is a ConditionError about an event of the plan, whose position
// is not known before the commit.
type plannedConditionError struct{ index int }

func (e *plannedConditionError) Error() string {
	return "append condition failed: an event of the same transaction matches the query"
}

func (s *Store) newPlan(tr engine.Transaction, recheck bool) *plan {
	return &plan{
		store: s, tr: tr, recheck: recheck, streams: make(map[string]*plannedStream),
		indexes: s.indexes.Load(), header: tr.Get(s.keys.Header()),
	}
}

// confirm fails with a conflict if the system indexes are not the ones that the plan
// assumes. The next attempt has the right ones.
func (p *plan) confirm() error {
	raw, err := p.header.Get()
	if err != nil {
		return fmt.Errorf("reading the store's header: %w", err)
	}
	set, err := p.store.indexSet(raw)
	if err == nil && set != p.indexes {
		err = fmt.Errorf("the store's indexes changed: %w", engine.ErrConflict)
	}
	return err
}

// fetch starts the reads that apply will need.
func (p *plan) fetch(r *request) {
	if r.condition != nil {
		if p.scans == nil {
			p.scans = make(map[*request][]*conditionScan)
		}
		p.scans[r] = p.scan(r.condition)
	}
	for i := range r.appends {
		a := &r.appends[i]
		p.stream(a.stream)
		for j := range a.events {
			if ev := &a.events[j]; ev.givenID || p.recheck {
				p.id(a.stream, ev.ID)
			}
		}
	}
}

// stream returns the plan's stream of this name, and starts reading its head if it is
// new.
func (p *plan) stream(name string) *plannedStream {
	st, ok := p.streams[name]
	if !ok {
		p.readKeys.Reserve(len(p.store.keys.Prefix)+len(name)+8, 256)
		st = p.newStream()
		*st = plannedStream{
			name:      name,
			partition: p.store.partitionOf(name),
			stored:    p.tr.Get(p.readKeys.Cut(p.store.keys.Head(p.readKeys.Free, name))),
		}
		p.streams[name] = st
		p.order = append(p.order, st)
	}
	return st
}

// newStream takes a stream from spare. Streams are allocated in growing blocks, which
// are never moved.
func (p *plan) newStream() *plannedStream {
	if len(p.spare) == 0 {
		p.spare = make([]plannedStream, 1+min(len(p.order), 15))
	}
	st := &p.spare[0]
	p.spare = p.spare[1:]
	return st
}

// load awaits the stream's head.
func (p *plan) load(st *plannedStream) error {
	if st.loaded {
		return nil
	}
	value, err := st.stored.Get()
	if err != nil {
		return fmt.Errorf("reading head of stream %q: %w", st.name, err)
	}
	if st.head, err = layout.DecodeHead(value); err != nil {
		return fmt.Errorf("head of stream %q: %w", st.name, err)
	}
	st.loaded = true
	return nil
}

// id starts looking up an event id, unless that has been done. A snapshot read is
// enough: every append that could store the same id also writes the head, which is read
// serializably.
func (p *plan) id(stream string, id uuid.UUID) *plannedID {
	key := idKey{id, stream}
	if known, ok := p.ids[key]; ok {
		return known
	}
	if p.ids == nil {
		p.ids = make(map[idKey]*plannedID)
	}
	known := &plannedID{stored: p.tr.Snapshot().Get(p.store.keys.ID(nil, id, stream)), index: -1}
	p.ids[key] = known
	return known
}

// apply plans all appends of a request and appends their results to dst. If one of them
// fails, it plans none and returns dst as it was.
func (p *plan) apply(dst []plannedResult, r *request) ([]plannedResult, error) {
	if r.condition != nil {
		// Recognise a repeat first: its condition would find its own events.
		if repeated, err := p.repeats(dst, r); err != nil {
			return dst, err
		} else if repeated != nil {
			return repeated, nil
		}
		if err := p.evaluate(r.condition, p.scans[r]); err != nil {
			return dst, err
		}
	}
	saved := p.save(r)
	results := dst
	for i := range r.appends {
		result, err := p.append(&r.appends[i], r.pointersOnly)
		if err != nil {
			p.restore(saved)
			return dst, err
		}
		results = append(results, result)
	}
	return results, nil
}

// savedPlan is the state of a plan to which restore returns.
type savedPlan struct {
	events int
	heads  []savedHead
}

type savedHead struct {
	stream  *plannedStream
	head    layout.Head
	changed bool
}

// save remembers what an apply of r may change. A request for a single stream changes
// nothing until it can no longer fail, so there is nothing to save.
func (p *plan) save(r *request) savedPlan {
	saved := savedPlan{events: len(p.events)}
	if len(r.appends) == 1 {
		return saved
	}
	for i := range r.appends {
		st := p.stream(r.appends[i].stream)
		if p.load(st) == nil {
			saved.heads = append(saved.heads, savedHead{st, st.head, st.changed})
		}
	}
	return saved
}

// restore undoes an apply that failed halfway.
func (p *plan) restore(saved savedPlan) {
	for i := saved.events; i < len(p.events); i++ {
		if known := p.ids[idKey{p.events[i].event.ID, p.events[i].stream.name}]; known != nil {
			known.index = -1
		}
	}
	p.events = p.events[:saved.events]
	for _, h := range saved.heads {
		h.stream.head, h.stream.changed = h.head, h.changed
	}
}

// append plans one append of a request, or finds that it is a repeat.
func (p *plan) append(a *streamRequest, pointersOnly bool) (plannedResult, error) {
	st := p.stream(a.stream)
	if err := p.load(st); err != nil {
		return plannedResult{}, err
	}
	if result, repeat, err := p.repeat(a); repeat || err != nil {
		return result, err
	}
	if err := p.expect(st, a.expected); err != nil {
		return plannedResult{}, err
	}
	first := st.head.Next
	for i := range a.events {
		ev := &a.events[i]
		if known := p.ids[idKey{ev.ID, a.stream}]; known != nil {
			known.index = len(p.events)
		}
		p.events = append(p.events, plannedEvent{stream: st, revision: st.head.Next, event: &ev.EventData, pointerOnly: pointersOnly})
		st.head.Next++
	}
	st.head.State = layout.StateOpen // an append creates a deleted stream again
	st.changed = true
	return plannedResult{
		result: fdbevents.AppendResult{Stream: a.stream, FirstRevision: first, LastRevision: st.head.Next - 1},
		index:  len(p.events) - 1,
	}, nil
}

// expect fails unless a loaded stream is as expected.
func (p *plan) expect(st *plannedStream, expected fdbevents.ExpectedRevision) error {
	if st.head.State == layout.StateTombstoned {
		return fmt.Errorf("stream %q: %w", st.name, fdbevents.ErrStreamDeleted)
	}
	if st.head.Meets(expected) {
		return nil
	}
	actual := st.head.Next - 1
	if expected == fdbevents.StreamExists {
		actual = -1 // the stream was deleted
	}
	return &fdbevents.WrongExpectedRevisionError{Stream: st.name, Expected: expected, Actual: actual}
}

// occurrence says where an event id already is, in the store or in the plan.
type occurrence struct {
	found    bool
	revision int64
	at       fdbevents.Position
	// index is the index of the planned event, or -1 for a stored one.
	index int
}

// repeat reports whether all events of an append are already there, and if so, returns
// the result of the first time.
func (p *plan) repeat(a *streamRequest) (result plannedResult, repeat bool, err error) {
	var first, last occurrence
	found := 0
	for i := range a.events {
		ev := &a.events[i]
		at, err := p.occurrence(a.stream, ev)
		if err != nil {
			return result, false, err
		}
		if i == 0 {
			first = at
		}
		if !at.found {
			continue
		}
		found++
		reason := ""
		switch {
		case found != i+1:
			reason = "but events before it in this append are not"
		case at.revision != first.revision+int64(i):
			reason = "but not next to the event before it in this append"
		default:
			if reason, err = p.difference(a.stream, &ev.EventData, at); err != nil {
				return result, false, err
			}
		}
		if reason != "" {
			return result, false, &fdbevents.IDConflictError{Stream: a.stream, ID: ev.ID, Revision: at.revision, Reason: reason}
		}
		last = at
	}
	switch {
	case found == 0:
		return result, false, sameIDTwice(a)
	case found < len(a.events):
		return result, false, &fdbevents.IDConflictError{Stream: a.stream, ID: a.events[found-1].ID, Revision: last.revision,
			Reason: "but events after it in this append are not"}
	}
	return plannedResult{
		result: fdbevents.AppendResult{Stream: a.stream, FirstRevision: first.revision, LastRevision: last.revision, Position: last.at, Repeat: true},
		index:  last.index,
	}, true, nil
}

// repeats appends the first results to dst if every append of r is a repeat, and
// returns nil otherwise.
func (p *plan) repeats(dst []plannedResult, r *request) ([]plannedResult, error) {
	for i := range r.appends {
		result, repeat, err := p.repeat(&r.appends[i])
		if err != nil || !repeat {
			return nil, err
		}
		dst = append(dst, result)
	}
	return dst, nil
}

// sameIDTwice refuses an append that gives two of its events the same ID.
func sameIDTwice(a *streamRequest) error {
	if len(a.events) < 2 {
		return nil
	}
	seen := make(map[uuid.UUID]struct{}, len(a.events))
	for i := range a.events {
		if !a.events[i].givenID {
			continue
		}
		if _, dup := seen[a.events[i].ID]; dup {
			return &fdbevents.InvalidError{What: "event id", Value: a.events[i].ID.String(), Reason: "is given twice in one append"}
		}
		seen[a.events[i].ID] = struct{}{}
	}
	return nil
}

// occurrence looks up whether the stream already has the event's id.
func (p *plan) occurrence(stream string, ev *newEvent) (occurrence, error) {
	none := occurrence{index: -1}
	if !ev.givenID && !p.recheck {
		return none, nil
	}
	known := p.id(stream, ev.ID)
	if known.index >= 0 {
		return occurrence{found: true, revision: p.events[known.index].revision, index: known.index}, nil
	}
	value, err := known.stored.Get()
	if err != nil {
		return none, fmt.Errorf("looking up event id %s: %w", ev.ID, err)
	}
	if value == nil {
		return none, nil
	}
	e, err := layout.DecodeIDEntry(value)
	if err != nil {
		return none, fmt.Errorf("event id %s of stream %q: %w", ev.ID, stream, err)
	}
	return occurrence{found: true, revision: e.Revision, at: e.At, index: -1}, nil
}

// difference says how the event at an occurrence differs from ev, and returns "" if it
// does not. An event whose ID the store chose cannot differ, and neither can one whose
// content is gone.
func (p *plan) difference(stream string, ev *fdbevents.EventData, at occurrence) (string, error) {
	if at.index >= 0 {
		old := p.events[at.index].event
		return contentDifference(old.Type, old.ContentType, old.Tags, old.Data, old.Metadata, ev), nil
	}
	old, ok, err := p.store.readEvent(p.tr.Snapshot(), stream, at.revision)
	if err != nil || !ok || old.Erased {
		return "", err
	}
	return contentDifference(old.Type, old.ContentType, old.Tags, old.Data, old.Metadata, ev), nil
}

// contentDifference says how a stored content differs from ev, and returns "" if it
// does not.
func contentDifference(typ, contentType string, tags []string, data, metadata []byte, ev *fdbevents.EventData) string {
	switch {
	case typ != ev.Type:
		return fmt.Sprintf("with type %q instead of %q", typ, ev.Type)
	case !bytes.Equal(data, ev.Data):
		return "with other data"
	case !bytes.Equal(metadata, ev.Metadata):
		return "with other metadata"
	case contentType != ev.ContentType:
		return fmt.Sprintf("with content type %q instead of %q", contentType, ev.ContentType)
	case !slices.Equal(tags, ev.Tags):
		return fmt.Sprintf("with tags %q instead of %q", tags, ev.Tags)
	}
	return ""
}

// resolve appends the results to dst, with the positions that the commit has decided.
func resolve(dst []fdbevents.AppendResult, results []plannedResult, stamp engine.Stamp) []fdbevents.AppendResult {
	dst = slices.Grow(dst, len(results))
	for _, planned := range results {
		if planned.index >= 0 {
			planned.result.Position = layout.NewPosition(stamp, planned.index)
		}
		dst = append(dst, planned.result)
	}
	return dst
}
