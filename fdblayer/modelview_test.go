package fdblayer_test

import (
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// The methods below return what readers see of the model.

func (m *model) info(stream string) (fdblayer.StreamInfo, error) {
	s, ok := m.streams[stream]
	if !ok {
		return fdblayer.StreamInfo{}, fdbevents.ErrStreamNotFound
	}
	return fdblayer.StreamInfo{
		Stream: stream, LastRevision: s.next() - 1, TruncateBefore: s.truncateBefore, Retention: fdblayer.Retention{MaxCount: s.maxCount},
		Deleted: s.deleted, Tombstoned: s.tombstoned, Metadata: s.metadata,
	}, nil
}

// readStream returns what a read of a stream from a revision yields.
func (m *model) readStream(stream string, from int64, o fdblayer.ReadOptions) ([]*modelEvent, error) {
	s := m.stream(stream)
	switch {
	case s.tombstoned:
		return nil, fdbevents.ErrStreamDeleted
	case !s.exists():
		return nil, fdbevents.ErrStreamNotFound
	}
	return selected(s.events[s.first():], o, func(ev *modelEvent) bool {
		return ev.Revision == from || ev.Revision < from == o.Backward
	}), nil
}

// followStream returns what a subscription to a stream delivers until it has caught up.
func (m *model) followStream(stream string, after int64, o fdblayer.ReadOptions) ([]*modelEvent, error) {
	s := m.stream(stream)
	if after == fdbevents.StreamEnd {
		after = s.next() - 1
	}
	switch {
	case s.tombstoned:
		return nil, fdbevents.ErrStreamDeleted
	case after >= 0 && after+1 < s.first():
		return nil, &fdbevents.TruncatedError{Stream: stream, Revision: after + 1, First: s.first()}
	}
	return selected(s.events[s.first():], o, func(ev *modelEvent) bool { return ev.Revision > after }), nil
}

// readAll returns what a read of the log from a position yields.
func (m *model) readAll(from fdbevents.Position, o fdblayer.ReadOptions) []*modelEvent {
	return selected(m.log, o, func(ev *modelEvent) bool {
		return ev.Position == from || ev.Position.Before(from) == o.Backward
	})
}

// follow returns what a subscription to the log delivers until it has caught up.
func (m *model) follow(after fdbevents.Position, o fdblayer.ReadOptions) []*modelEvent {
	return selected(m.log, o, func(ev *modelEvent) bool { return after.Before(ev.Position) })
}

// wants reports whether a filter selects ev, independently of Filter.Matches.
func wants(f fdbevents.Filter, ev *modelEvent) bool {
	if f.Stream != "" && ev.Stream != f.Stream {
		return false
	}
	for _, part := range []struct {
		name     string
		prefixes []string
	}{{ev.Stream, f.StreamPrefixes}, {ev.Type, f.TypePrefixes}} {
		found := len(part.prefixes) == 0
		for _, p := range part.prefixes {
			found = found || len(part.name) >= len(p) && part.name[:len(p)] == p
		}
		if !found {
			return false
		}
	}
	return f.Query.Matches(ev.Type, ev.Tags)
}

func selected(events []*modelEvent, o fdblayer.ReadOptions, within func(ev *modelEvent) bool) (out []*modelEvent) {
	for _, ev := range events {
		if !ev.scavenged && within(ev) && wants(o.Filter, ev) {
			out = append(out, ev)
		}
	}
	if o.Backward {
		slices.Reverse(out)
	}
	if o.Limit > 0 && len(out) > o.Limit {
		out = out[:o.Limit]
	}
	return out
}
