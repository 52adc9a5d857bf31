package ingest

import (
	"context"
	"errors"
	"io"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
)

// group is a run of consecutive events that are appended as one.
type group struct {
	stream      string
	first, last int // lines
	events      []fdbevents.EventData
	size        int
}

// sizeOf returns the bytes that count towards fdbevents.MaxAppendSize.
func sizeOf(e *jsonl.Entry) int { return len(e.Event.Data) + len(e.Event.Metadata) }

// takes reports whether a group that has events can take one more.
func (g *group) takes(e *jsonl.Entry) bool {
	return e.Stream == g.stream && g.size+sizeOf(e) <= fdbevents.MaxAppendSize
}

func (g *group) add(e *jsonl.Entry) {
	if len(g.events) == 0 {
		g.stream, g.first = e.Stream, e.Line
	}
	g.last = e.Line
	g.size += sizeOf(e)
	g.events = append(g.events, e.Event)
}

// weight returns how much of maxUnderWay the group takes.
func (g *group) weight() int64 {
	return min(int64(g.size)+int64(len(g.events))*perEvent, maxUnderWay)
}

// partialError says that events were read but not appended. They wait for the rest of
// their group, which must be stored as a whole or not at all.
type partialError struct {
	group
	err error
}

func (e *partialError) Error() string { return e.err.Error() }
func (e *partialError) Unwrap() error { return e.err }

// errFailed ends submit when the settler has the actual failure.
var errFailed = errors.New("an append failed")

// submit groups events and starts their appends. It returns nil at the end of the
// source, and errFailed when an append has failed.
func (r *run) submit(ctx context.Context, entries <-chan read, underWay chan<- submitted) error {
	var g group
	for {
		var next read
		select {
		case next = <-entries:
		case <-ctx.Done():
			return &partialError{g, context.Cause(ctx)}
		}
		if next.err != nil && !errors.Is(next.err, io.EOF) {
			return &partialError{g, next.err}
		}
		end := next.err != nil
		if len(g.events) > 0 && (end || !g.takes(&next.entry)) {
			if err := r.start(ctx, g, underWay); err != nil {
				return err
			}
			g = group{}
		}
		if end {
			return nil
		}
		g.add(&next.entry)
		// Do not wait for the next event before starting a full group: a caller that feeds
		// us one event at a time wants its result at once.
		if len(g.events) == r.o.Batch {
			if err := r.start(ctx, g, underWay); err != nil {
				return err
			}
			g = group{}
		}
	}
}

// start starts the append of a group once there is room for it. It reports a failed append
// through underWay, in its place among the others.
func (r *run) start(ctx context.Context, g group, underWay chan<- submitted) error {
	if err := r.room.Acquire(ctx, g.weight()); err != nil {
		return &partialError{g, context.Cause(ctx)}
	}
	// Finish a started append rather than give it up, so that its outcome is known.
	appending := context.WithoutCancel(ctx)
	if r.o.InOrder {
		result, err := r.store.Append(appending, g.stream, r.expect(g.stream), g.events...)
		if r.o.Expected != fdbevents.Any {
			r.last[g.stream] = result.LastRevision
		}
		underWay <- submitted{g, finished{result, err}}
		if err != nil {
			return errFailed
		}
		return nil
	}
	pending, err := r.store.AppendAsync(appending, g.stream, fdbevents.Any, g.events...)
	if err != nil {
		underWay <- submitted{g, finished{err: err}}
		return errFailed
	}
	underWay <- submitted{g, pending}
	return nil
}

// expect returns the expected revision of the next append to a stream.
func (r *run) expect(stream string) fdbevents.ExpectedRevision {
	if last, ok := r.last[stream]; ok {
		return fdbevents.ExpectedRevision(last)
	}
	return r.o.Expected
}
