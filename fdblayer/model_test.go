package fdblayer_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
)

// model is a store as it is documented, without any of its keys: streams of events, and
// one log of them. It is meant to be obviously right, not fast.
type model struct {
	streams map[string]*modelStream
	// log has the order of the store's log, and includes scavenged events.
	log []*modelEvent
	// data is the key-value space that transactions use.
	data map[string]string
	// indexes are the system indexes, oldest first.
	indexes []string
}

// modelStream is in the model as soon as anything about the stream is stored.
type modelStream struct {
	// events are all events that the stream ever had, by revision.
	events                   []*modelEvent
	truncateBefore, maxCount int64
	deleted, tombstoned      bool
	metadata                 []byte
}

// modelEvent is an event as readers should see it. Fields that only the store knows (the
// position, an id or time that it chose) are zero until the event has been read.
type modelEvent struct {
	fdbevents.Event
	// No read yields scavenged events. Forgotten events can be appended as new ones.
	scavenged, forgotten bool
}

func newModel() *model {
	return &model{streams: make(map[string]*modelStream), data: make(map[string]string)}
}

// clone returns a copy for trying something out. The copy shares the events, because
// nothing that can fail changes them.
func (m *model) clone() *model {
	c := &model{streams: make(map[string]*modelStream), log: slices.Clip(m.log), data: maps.Clone(m.data), indexes: slices.Clip(m.indexes)}
	for name, s := range m.streams {
		copied := *s
		copied.events = slices.Clip(s.events)
		c.streams[name] = &copied
	}
	return c
}

// stream returns what is known about a stream. It does not add an unknown stream to the
// model.
func (m *model) stream(name string) *modelStream {
	if s, ok := m.streams[name]; ok {
		return s
	}
	return &modelStream{}
}

func (s *modelStream) next() int64 { return int64(len(s.events)) }

func (s *modelStream) exists() bool { return len(s.events) > 0 && !s.deleted && !s.tombstoned }

// first returns the first revision that readers see.
func (s *modelStream) first() int64 {
	if s.maxCount > 0 {
		return max(s.truncateBefore, s.next()-s.maxCount)
	}
	return s.truncateBefore
}

func (s *modelStream) find(id uuid.UUID) *modelEvent {
	for _, ev := range s.events {
		if ev.ID == id && !ev.forgotten {
			return ev
		}
	}
	return nil
}

// modelResult is an AppendResult whose position is the position of last.
type modelResult struct {
	fdbevents.AppendResult
	last *modelEvent
}

// append does all of an atomic append, or returns an error.
func (m *model) append(condition *fdbevents.Condition, appends []fdbevents.StreamAppend, own []*modelEvent) ([]modelResult, error) {
	try := m.clone()
	if condition != nil {
		if results, err := try.repeats(appends); results != nil || err != nil {
			return results, err
		}
		if err := try.condition(condition, own); err != nil {
			return nil, err
		}
	}
	var results []modelResult
	for _, a := range appends {
		result, err := try.appendTo(a)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	*m = *try
	return results, nil
}

// repeats returns the results of an append that is a repeat. Its condition does not
// count, because its own events would break it.
func (m *model) repeats(appends []fdbevents.StreamAppend) (results []modelResult, err error) {
	for _, a := range appends {
		result, err := m.repeat(a)
		if err != nil || result == nil {
			return nil, err
		}
		results = append(results, *result)
	}
	return results, nil
}

// errOwnEvent is the error of a condition that fails on one of own, the events of its
// own transaction.
var errOwnEvent = fmt.Errorf("the condition fails on an event of its own transaction")

func (m *model) condition(c *fdbevents.Condition, own []*modelEvent) error {
	for _, ev := range m.log {
		switch {
		case ev.scavenged || !c.Query.Matches(ev.Type, ev.Tags):
		case slices.Contains(own, ev):
			return errOwnEvent
		case c.After.Before(ev.Position):
			return &fdbevents.ConditionError{Position: ev.Position}
		}
	}
	return nil
}

func (m *model) appendTo(a fdbevents.StreamAppend) (modelResult, error) {
	if repeat, err := m.repeat(a); err != nil {
		return modelResult{}, err
	} else if repeat != nil {
		return *repeat, nil
	}
	if err := m.expect(a.Stream, a.Expected); err != nil {
		return modelResult{}, err
	}
	s := m.change(a.Stream)
	s.deleted = false
	first := s.next()
	for _, ev := range a.Events {
		stored := &modelEvent{Event: fdbevents.Event{
			Stream: a.Stream, Revision: s.next(), ID: ev.ID, Type: ev.Type, ContentType: contentType(ev), Tags: ev.Tags,
			Created: ev.Created, Data: ev.Data, Metadata: ev.Metadata,
		}}
		s.events = append(s.events, stored)
		m.log = append(m.log, stored)
	}
	return modelResult{AppendResult: fdbevents.AppendResult{Stream: a.Stream, FirstRevision: first, LastRevision: s.next() - 1}, last: s.events[s.next()-1]}, nil
}

// change returns the stream, which is in the model from now on.
func (m *model) change(name string) *modelStream {
	s := m.stream(name)
	m.streams[name] = s
	return s
}

func contentType(ev fdbevents.EventData) string {
	return cmp.Or(ev.ContentType, "application/octet-stream")
}

func (m *model) expect(stream string, expected fdbevents.ExpectedRevision) error {
	s := m.stream(stream)
	right := true
	actual := s.next() - 1
	switch expected {
	case fdbevents.Any:
	case fdbevents.NoStream:
		right = !s.exists()
	case fdbevents.StreamExists:
		right = s.exists()
		actual = -1
	default:
		right = int64(expected) == s.next()-1
	}
	switch {
	case s.tombstoned:
		return fdbevents.ErrStreamDeleted
	case !right:
		return &fdbevents.WrongExpectedRevisionError{Stream: stream, Expected: expected, Actual: actual}
	}
	return nil
}

// repeat returns the first result of an append whose events are all in the stream
// already, and nil when none of them is. Anything in between is an error.
func (m *model) repeat(a fdbevents.StreamAppend) (*modelResult, error) {
	s := m.stream(a.Stream)
	ids := make(map[uuid.UUID]bool)
	var known []*modelEvent
	twice := uuid.Nil
	for _, ev := range a.Events {
		if ev.ID == uuid.Nil {
			continue
		}
		if ids[ev.ID] && twice == uuid.Nil {
			twice = ev.ID
		}
		ids[ev.ID] = true
		if old := s.find(ev.ID); old != nil {
			known = append(known, old)
		}
	}
	if len(known) == 0 && twice != uuid.Nil {
		return nil, &fdbevents.InvalidError{What: "event id", Value: twice.String()}
	}
	if len(known) == 0 {
		return nil, nil
	}
	same := len(known) == len(a.Events)
	for i, old := range known {
		same = same && old.Revision == known[0].Revision+int64(i) && old.hasContent(a.Events[i])
	}
	if !same {
		return nil, &idConflict{events: known}
	}
	last := known[len(known)-1]
	return &modelResult{AppendResult: fdbevents.AppendResult{Stream: a.Stream, FirstRevision: known[0].Revision, LastRevision: last.Revision, Repeat: true}, last: last}, nil
}

// idConflict stands for an IDConflictError about any one of the events.
type idConflict struct{ events []*modelEvent }

func (e *idConflict) Error() string {
	return fmt.Sprintf("%d events of the append are already in the stream", len(e.events))
}

// hasContent is also true when the content is gone and cannot be compared.
func (ev *modelEvent) hasContent(other fdbevents.EventData) bool {
	return ev.scavenged || ev.Erased || ev.Type == other.Type && ev.ContentType == contentType(other) &&
		slices.Equal(ev.Tags, other.Tags) && bytes.Equal(ev.Data, other.Data) && bytes.Equal(ev.Metadata, other.Metadata)
}

// The methods below change streams in ways other than appends.

func (m *model) truncate(stream string, before int64) error {
	s := m.stream(stream)
	if before == fdbevents.StreamEnd {
		before = s.next()
	} else if !s.tombstoned && (before < 0 || before > s.next()) {
		return &fdbevents.InvalidError{What: "truncate before revision", Value: fmt.Sprint(before)}
	}
	fresh := *s
	fresh.truncateBefore = max(s.truncateBefore, before)
	return m.replace(stream, &fresh)
}

func (m *model) setMaxCount(stream string, n int64) error {
	if n < 0 {
		return &fdbevents.InvalidError{What: "max count", Value: fmt.Sprint(n)}
	}
	fresh := *m.stream(stream)
	fresh.maxCount = n
	return m.replace(stream, &fresh)
}

func (m *model) setMetadata(stream string, metadata []byte) error {
	fresh := *m.stream(stream)
	fresh.metadata = metadata
	return m.replace(stream, &fresh)
}

func (m *model) replace(stream string, fresh *modelStream) error {
	if fresh.tombstoned {
		return fdbevents.ErrStreamDeleted
	}
	m.streams[stream] = fresh
	return nil
}

func (m *model) delete(stream string, expected fdbevents.ExpectedRevision) error {
	if err := m.expect(stream, expected); err != nil {
		return err
	}
	if !m.stream(stream).exists() {
		return fdbevents.ErrStreamNotFound
	}
	fresh := *m.stream(stream)
	fresh.deleted, fresh.truncateBefore = true, fresh.next()
	return m.replace(stream, &fresh)
}

func (m *model) tombstone(stream string, expected fdbevents.ExpectedRevision) error {
	if err := m.expect(stream, expected); err != nil {
		return err
	}
	s := m.change(stream)
	s.deleted, s.tombstoned, s.truncateBefore = false, true, s.next()
	return nil
}

func (m *model) scavenge() (report fdblayer.ScavengeReport) {
	for _, s := range m.streams {
		report.Streams++
		s.truncateBefore = s.first()
		for _, ev := range s.events[:s.truncateBefore] {
			if !ev.scavenged {
				report.Events++
				ev.scavenged, ev.forgotten = true, s.tombstoned
			}
		}
	}
	return report
}

// erase returns the erased events, in the order of their streams.
func (m *model) erase(id uuid.UUID) (erased []*modelEvent, err error) {
	for _, name := range slices.Sorted(maps.Keys(m.streams)) {
		if ev := m.streams[name].find(id); ev != nil && !ev.scavenged {
			ev.Data, ev.Metadata, ev.Erased = nil, nil, true
			erased = append(erased, ev)
		}
	}
	if erased == nil {
		err = fdbevents.ErrEventNotFound
	}
	return erased, err
}
