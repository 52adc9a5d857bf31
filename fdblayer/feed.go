package fdblayer

import (
	"sort"
	"sync/atomic"

	"github.com/fdbevents/fdbevents"
)

// feed is the recent end of the log, as the watcher has read it, kept once for all
// subscribers: they share its pages, and one signal wakes them all. Its size is
// bounded; a subscriber that needs what was dropped reads the log instead. One
// goroutine publishes; any number of goroutines read.
type feed struct{ state atomic.Pointer[feedState] }

// feedState is what a feed holds at one moment. It is immutable, except that replaced
// is closed later.
type feedState struct {
	// ready is false until the watcher knows where it begins to publish, and again
	// after it failed to read on.
	ready bool
	// pages hold every event after from, up to and including through.
	from, through fdbevents.Position
	pages         []*feedPage
	// size is the size of the pages in bytes.
	size int
	// replaced is closed when there is a newer state.
	replaced chan struct{}
}

// feedPage is what the watcher read in one transaction. It is immutable.
type feedPage struct {
	// events holds every event after after, up to and including through.
	after, through fdbevents.Position
	events         []*fdbevents.Event
	size           int
}

const (
	// feedPages and feedBytes bound what a feed keeps. The newest page is kept whatever
	// its size.
	feedPages = 128
	feedBytes = 4 << 20
)

func newFeed() *feed {
	f := new(feed)
	f.state.Store(&feedState{replaced: make(chan struct{})})
	return f
}

func (f *feed) now() *feedState { return f.state.Load() }

// begin announces that every event after at will be published.
func (f *feed) begin(at fdbevents.Position) {
	f.replace(&feedState{ready: true, from: at, through: at})
}

// lose announces that the watcher failed to read on and will begin again.
func (f *feed) lose() { f.replace(new(feedState)) }

// publish adds the events that follow those already published. There must be at least
// one; the feed keeps the slice.
func (f *feed) publish(events []*fdbevents.Event) {
	old := f.now()
	b := &feedPage{after: old.through, through: events[len(events)-1].Position, events: events}
	for _, ev := range events {
		b.size += ev.Size()
	}
	next := &feedState{ready: true, through: b.through, size: old.size + b.size}
	kept := old.pages
	for len(kept) > 0 && (next.size > feedBytes || len(kept) >= feedPages) {
		next.size -= kept[0].size
		kept = kept[1:]
	}
	// Copy the slice, so that it does not keep dropped pages alive.
	next.pages = append(append(make([]*feedPage, 0, len(kept)+1), kept...), b)
	next.from = next.pages[0].after
	f.replace(next)
}

func (f *feed) replace(next *feedState) {
	next.replaced = make(chan struct{})
	close(f.state.Swap(next).replaced)
}

// next returns the page that continues after at, or nil if there is none yet. ok is
// false if the feed may lack events after at.
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

// waiting returns the number of events after at.
func (w *feedState) waiting(at fdbevents.Position) int {
	n := 0
	for i := len(w.pages) - 1; i >= 0 && at.Before(w.pages[i].through); i-- {
		events := w.pages[i].events
		n += len(events) - sort.Search(len(events), func(j int) bool { return at.Before(events[j].Position) })
	}
	return n
}
