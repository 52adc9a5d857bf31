package fdblayer

import (
	"github.com/fdbevents/fdbevents"
	"sort"
	"sync/atomic"
)

// feed is the end of the log as the watcher has read it, kept once for all
// subscribers: they share the batches, and one signal wakes them all. Only so
// much is kept; a subscriber that has not come to what was dropped reads the log
// instead. One goroutine publishes, any number look.
type feed struct{ window atomic.Pointer[window] }

// window is what a feed holds at a moment. It does not change.
type window struct {
	// ready is false until the watcher knows from where on it publishes, and after
	// it could not read on.
	ready bool
	// from is the position after which batches tell everything up to through.
	from, through fdbevents.Position
	batches       []*batch
	// size is that of the batches, in bytes.
	size int
	// replaced is closed when there is a newer window.
	replaced chan struct{}
}

// batch is what the watcher read in one transaction. It does not change.
type batch struct {
	// events are those after position after and up to position through.
	after, through fdbevents.Position
	events         []*fdbevents.Event
	size           int
}

const (
	// feedBatches and feedBytes bound what a feed keeps; the newest batch is kept
	// whatever its size.
	feedBatches = 128
	feedBytes   = 4 << 20
	// eventOverhead is about what an event takes in memory besides its bodies.
	eventOverhead = 300
)

func newFeed() *feed {
	f := new(feed)
	f.window.Store(&window{replaced: make(chan struct{})})
	return f
}

func (f *feed) now() *window { return f.window.Load() }

// begin says that everything after position at will be published.
func (f *feed) begin(at fdbevents.Position) {
	f.replace(&window{ready: true, from: at, through: at})
}

// lose says that the watcher could not read on, and begins anew.
func (f *feed) lose() { f.replace(new(window)) }

// publish adds the events that follow those published before.
func (f *feed) publish(events []*fdbevents.Event) {
	old := f.now()
	b := &batch{after: old.through, through: events[len(events)-1].Position, events: events}
	for _, ev := range events {
		b.size += len(ev.Data) + len(ev.Metadata) + eventOverhead
	}
	next := &window{ready: true, through: b.through, size: old.size + b.size}
	kept := old.batches
	for len(kept) > 0 && (next.size > feedBytes || len(kept) >= feedBatches) {
		next.size -= kept[0].size
		kept = kept[1:]
	}
	// A copy: what was dropped must not be kept alive.
	next.batches = append(append(make([]*batch, 0, len(kept)+1), kept...), b)
	next.from = next.batches[0].after
	f.replace(next)
}

func (f *feed) replace(next *window) {
	next.replaced = make(chan struct{})
	close(f.window.Swap(next).replaced)
}

// next returns the batch that goes on after position at, nil when there is none
// yet. ok is false when events after at may be missing from the window.
func (w *window) next(at fdbevents.Position) (b *batch, ok bool) {
	if !w.ready || at.Before(w.from) {
		return nil, false
	}
	if !at.Before(w.through) {
		return nil, true
	}
	i := sort.Search(len(w.batches), func(i int) bool { return at.Before(w.batches[i].through) })
	return w.batches[i], true
}

// waiting is how many events there are after position at.
func (w *window) waiting(at fdbevents.Position) int {
	n := 0
	for i := len(w.batches) - 1; i >= 0 && at.Before(w.batches[i].through); i-- {
		events := w.batches[i].events
		n += len(events) - sort.Search(len(events), func(j int) bool { return at.Before(events[j].Position) })
	}
	return n
}
