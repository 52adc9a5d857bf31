package ingest

import (
	"context"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"golang.org/x/sync/semaphore"
)

const (
	// maxUnderWay bounds the appends under way, and so the memory in use. An event counts
	// as its bytes of data and metadata plus perEvent.
	maxUnderWay = 64 << 20
	perEvent    = 4 << 10
	// maxOutcomes is at least the number of appends that can be under way.
	maxOutcomes = maxUnderWay / perEvent
	// entriesAhead is how many events are read ahead.
	entriesAhead = 16
)

// run appends the events of a source.
//
// It is a pipeline of three goroutines. One reads; the caller's own groups events and
// starts appends; the settler waits for the appends in input order. Only the settler knows
// what is stored.
type run struct {
	store *fdblayer.Store
	o     Options
	// last is the last revision of each stream in this run. It is kept only if there is an
	// expectation to carry on.
	last map[string]int64
	// room bounds the appends under way.
	room *semaphore.Weighted
}

// Run appends until the source ends, something fails, or ctx ends. It then waits for the
// appends under way, because only their outcome tells what is stored. The summary is
// complete even if there is an error, which is always an *[Error].
func Run(ctx context.Context, store *fdblayer.Store, source Source, o Options) (Summary, error) {
	o.Batch = max(o.Batch, 1)
	o.InOrder = o.InOrder || o.Expected != fdbevents.Any
	r := &run{store: store, o: o, last: make(map[string]int64), room: semaphore.NewWeighted(maxUnderWay)}

	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &settler{o: o, room: r.room, stop: stop}
	entries := make(chan read, entriesAhead)
	// Run does not wait for readAhead, because a read from standard input cannot be
	// interrupted.
	go readAhead(reading, source, entries)

	underWay := make(chan submitted, maxOutcomes)
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		s.settle(underWay)
	}()
	err := r.submit(reading, entries, underWay)
	close(underWay)
	<-settled
	return s.summary, s.explain(ctx, err)
}
