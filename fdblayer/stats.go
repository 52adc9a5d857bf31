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

// Stats describes a Store in this process.
type Stats struct {
	// StoreID identifies the store permanently, in every process.
	StoreID uuid.UUID
	// Partitions and InlineLimit were fixed when the store was created; see Options.
	Partitions, InlineLimit int
	// Engine names the engine and the place of its data.
	Engine string

	// The fields from Appends to Troubles are counters, which only rise while the Store
	// is open.

	// Appends is the number of appends that this Store stored or found stored, and
	// Events the number of events in them.
	Appends, Events int64
	// Batches is the number of transactions that wrote, and Mutations the number of
	// their mutations.
	Batches, Mutations int64
	// Retries is the number of times a transaction was run again, and Conflicts how
	// many of them were caused by a conflict with another transaction. A conflict after
	// an unknown outcome of the same transaction counts only as a retry.
	Retries, Conflicts int64
	// UnknownResolved is the number of commits whose outcome the engine could not tell
	// and that were then found to have happened.
	UnknownResolved int64
	// Pages is the number of pages read.
	Pages int64
	// Troubles is the number of errors that goroutines of the Store survived; see
	// Hooks.
	Troubles int64

	// Subscribers is the number of subscriptions under way now.
	Subscribers int
	// Tail is the position up to which the log has been read for live subscriptions, or
	// Start if there are none.
	Tail fdbevents.Position
}

// SubscriptionStats describes a subscription under way.
type SubscriptionStats struct {
	// Stream is the stream of a SubscribeStream, otherwise empty.
	Stream string
	// Position is the position that the consumer has reached: the event that it is busy
	// with, or the end of what was there.
	Position fdbevents.Position
	// Live is true while the subscription is served events as they arrive, and false
	// while it reads the log.
	Live bool
	// Waiting is the number of events in memory that wait for the subscription, before
	// its filter is applied. While it reads the log, these are the rest of the page.
	Waiting int
	// Lag estimates how long before Tail the event at Position was written, by the
	// engine's version clock. It is 0 if there is nothing to deliver.
	Lag time.Duration
}

// Stats returns the current figures. It reads nothing from the engine and is cheap
// enough to call on every scrape of an exporter.
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

// Subscriptions describes every subscription under way, in the order in which they
// began.
func (s *Store) Subscriptions() []SubscriptionStats { return s.watcher.stats() }

// count returns the number of subscribers and the position that the feed has reached.
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
