package fdblayer

import (
	"sort"
	"sync/atomic"

	"github.com/fdbevents/fdbevents"
)

// feed is the end of the log as the watcher has read it, kept once for all
// subscribers: they share the pages, and one signal wakes them all. Only so
// much is kept; a subscriber that has not come to what was dropped reads the log
// instead. One goroutine publishes, any number look.
type feed struct{ state atomic.Pointer[feedState] }

// feedState is what a feed holds at a moment. It does not change.
type feedState struct {
	// ready is false until the watcher knows from where on it publishes, and after
	// it could not read on.
	ready bool
	// pages hold every event after position from, up to position through.
	from, through fdbevents.Position
	pages         []*feedPage
	// size is that of the pages, in bytes.
	size int
	// replaced is closed when there is a newer state.
	replaced chan struct{}
}

// feedPage is what the watcher read in one transaction. It does not change.
type feedPage struct {
	// events are those after position after and up to position through.
	after, through fdbevents.Position
	events         []*fdbevents.Event
	size           int
}

const (
	// feedPages and feedBytes bound what a feed keeps; the newest page is kept
	// whatever its size.
	feedPages = 128
	feedBytes = 4 << 20
	// eventOverhead is about what an event takes in memory besides its bodies.
	eventOverhead = 300
)

func newFeed() *feed {
	f := new(feed)
	f.state.Store(&feedState{replaced: make(chan struct{})})
	return f
}

func (f *feed) now() *feedState { return f.state.Load() }

// begin says that everything after position at will be published.
func (f *feed) begin(at fdbevents.Position) {
	f.replace(&feedState{ready: true, from: at, through: at})
}

// lose says that the watcher could not read on, and begins anew.
func (f *feed) lose() { f.replace(new(feedState)) }

// publish adds the events that follow those published before.
func (f *feed) publish(events []*fdbevents.Event) {
	old := f.now()
	b := &feedPage{after: old.through, through: events[len(events)-1].Position, events: events}
	for _, ev := range events {
		b.size += len(ev.Data) + len(ev.Metadata) + eventOverhead
	}
	next := &feedState{ready: true, through: b.through, size: old.size + b.size}
	kept := old.pages
	for len(kept) > 0 && (next.size > feedBytes || len(kept) >= feedPages) {
		next.size -= kept[0].size
		kept = kept[1:]
	}
	// A copy: what was dropped must not be kept alive.
	next.pages = append(append(make([]*feedPage, 0, len(kept)+1), kept...), b)
	next.from = next.pages[0].after
	f.replace(next)
}

func (f *feed) replace(next *feedState) {
	next.replaced = make(chan struct{})
	close(f.state.Swap(next).replaced)
}

// next returns the page that goes on after position at, nil when there is none
// yet. ok is false when events after at may be missing from the feed.
func (w *feedState) next(at fdbevents.Position) (b *feedPage, ok bool) {
	if !w.ready || at.Before(w.from) {
		return nil, false
	}
	if !at.Before(w.through) {
		return nil, true
	}
	i := sort.Search(len(w.pages), func(i int) bool { return at.Before(w.pages[i].through) })
	return w.pages[i], true
}

// waiting is how many events there are after position at.
func (w *feedState) waiting(at fdbevents.Position) int {
	n := 0
	for i := len(w.pages) - 1; i >= 0 && at.Before(w.pages[i].through); i-- {
		events := w.pages[i].events
		n += len(events) - sort.Search(len(events), func(j int) bool { return at.Before(events[j].Position) })
	}
	return n
}
