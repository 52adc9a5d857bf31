package ingest

import (
	"context"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"golang.org/x/sync/semaphore"
)

const (
	// maxUnderWay bounds the appends under way, and with them what is in memory:
	// in bytes of data, and perEvent for each event.
	maxUnderWay = 64 << 20
	perEvent    = 4 << 10
	// maxOutcomes is more than there can be of single events.
	maxOutcomes = maxUnderWay / perEvent
	// entriesAhead is how many events are read before they are asked for.
	entriesAhead = 16
)

// run appends the events of a source.
//
// It is a pipeline. One goroutine reads; the caller's groups what was read and starts
// appends; a third, the settler, waits for the appends in the order of the input. Only
// this last one knows what is stored.
type run struct {
	store *fdblayer.Store
	o     Options
	// last is the last revision of each stream in this run; kept only when there
	// is an expectation to carry on.
	last map[string]int64
	// room bounds what is under way.
	room *semaphore.Weighted
}

// Run appends until the source ends, something fails, or ctx ends. Appends under way
// are then waited for, so that it is known what is stored: the summary counts it also
// when there is an error, which is an *[Error].
func Run(ctx context.Context, store *fdblayer.Store, source Source, o Options) (Summary, error) {
	o.Batch = max(o.Batch, 1)
	o.InOrder = o.InOrder || o.Expected != fdbevents.Any
	r := &run{store: store, o: o, last: make(map[string]int64), room: semaphore.NewWeighted(maxUnderWay)}

	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &settler{o: o, room: r.room, stop: stop}
	entries := make(chan read, entriesAhead)
	// Not waited for: a read of the standard input cannot be interrupted.
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
