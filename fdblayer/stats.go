package fdblayer

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// counters count what a Store has done since it was opened.
type counters struct {
	appends, events, batches, mutations, retries, conflicts, unknownResolved, pages, troubles atomic.Int64
}

// Stats tells about a Store in this process.
type Stats struct {
	// StoreID names the store for ever, in all processes.
	StoreID uuid.UUID
	// Partitions and InlineLimit were fixed when the store was created.
	Partitions, InlineLimit int
	// Engine names the engine and where its data is.
	Engine string

	// The counters only rise while the Store is open.

	// Appends, and Events in them, that this Store stored or found stored.
	Appends, Events int64
	// Batches is the transactions that wrote, and Mutations what they wrote.
	Batches, Mutations int64
	// Retries is the transactions run again, and Conflicts those of them that another
	// transaction got in the way of.
	Retries, Conflicts int64
	// UnknownResolved is the commits whose outcome the engine could not tell and
	// that were found to have happened.
	UnknownResolved int64
	// Pages is the pages read.
	Pages int64
	// Troubles is the errors that goroutines of the Store survived, see Hooks.
	Troubles int64

	// Subscribers is the subscriptions under way now.
	Subscribers int
	// Tail is the position up to which the log has been read for live
	// subscriptions; Start when there are none.
	Tail fdbevents.Position
}

// SubscriptionStats tells about a subscription under way.
type SubscriptionStats struct {
	// Stream is that of SubscribeStream, else empty.
	Stream string
	// Position is the place that its consumer has come to: the event that it is
	// busy with, or the end of what was there.
	Position fdbevents.Position
	// Live is true when it is served as events come, false while it reads the log.
	Live bool
	// Waiting is the events in memory that wait for it, before its filter. While it
	// reads the log that is the rest of the page.
	Waiting int
	// Lag is about how long before Tail the Position was written, by the version
	// clock of the engine: an estimate, 0 when there is nothing to deliver.
	Lag time.Duration
}

// Stats returns the present figures. It reads nothing from the engine, and costs
// little enough to be called for each scrape of an exporter.
func (s *Store) Stats() Stats {
	subscribers, tail := s.watcher.count()
	return Stats{
		StoreID:         s.header.ID,
		Partitions:      s.header.Partitions,
		InlineLimit:     s.header.InlineLimit,
		Engine:          s.engine.String(),
		Appends:         s.stats.appends.Load(),
		Events:          s.stats.events.Load(),
		Batches:         s.stats.batches.Load(),
		Mutations:       s.stats.mutations.Load(),
		Retries:         s.stats.retries.Load(),
		Conflicts:       s.stats.conflicts.Load(),
		UnknownResolved: s.stats.unknownResolved.Load(),
		Pages:           s.stats.pages.Load(),
		Troubles:        s.stats.troubles.Load(),
		Subscribers:     subscribers,
		Tail:            tail,
	}
}

// Subscriptions tells about each subscription under way, in the order in which they
// began.
func (s *Store) Subscriptions() []SubscriptionStats { return s.watcher.stats() }

// count is the number of subscribers, and the position that the feed has come to.
func (w *watcher) count() (subscribers int, tail fdbevents.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.feed == nil {
		return 0, fdbevents.Start
	}
	return len(w.subs), w.feed.now().through
}

func (w *watcher) stats() (all []SubscriptionStats) {
	w.mu.Lock()
	if w.feed == nil {
		w.mu.Unlock()
		return nil
	}
	now := w.feed.now()
	subs := slices.Collect(maps.Keys(w.subs))
	w.mu.Unlock()
	slices.SortFunc(subs, func(a, b *subscriber) int { return cmp.Compare(a.number, b.number) })
	for _, sub := range subs {
		all = append(all, sub.stats(now))
	}
	return all
}

func (sub *subscriber) stats(now *feedState) SubscriptionStats {
	sub.mu.Lock()
	st := SubscriptionStats{Stream: sub.stream, Position: sub.at, Live: sub.live, Waiting: sub.waiting}
	sub.mu.Unlock()
	if st.Live {
		st.Waiting = now.waiting(st.Position)
	}
	if st.Position.Before(now.through) {
		// Versions rise by about a million a second.
		st.Lag = time.Duration(now.through.Version()-st.Position.Version()) * time.Microsecond
	}
	return st
}
