package fdblayer

import (
	"sync/atomic"

	"github.com/google/uuid"
)

// counters count what a Store has done since it was opened.
type counters struct {
	appends, events, batches, mutations, retries, unknownResolved, pages atomic.Int64
}

// Stats tells about a Store in this process.
type Stats struct {
	// StoreID names the store for ever, in all processes.
	StoreID uuid.UUID
	// Partitions and InlineLimit were fixed when the store was created.
	Partitions, InlineLimit int
	// Engine names the engine and where its data is.
	Engine string

	// Appends, and Events in them, that this Store stored or found stored.
	Appends, Events int64
	// Batches is the transactions that wrote, and Mutations what they wrote.
	Batches, Mutations int64
	// Retries is the transactions run again because another got in the way.
	Retries int64
	// UnknownResolved is the commits whose outcome the engine could not tell and
	// that were found to have happened.
	UnknownResolved int64
	// Pages is the pages read.
	Pages int64
	// Subscribers is the subscriptions under way.
	Subscribers int
}

// Stats returns the present figures. It reads nothing from the engine.
func (s *Store) Stats() Stats {
	s.watcher.mu.Lock()
	subscribers := len(s.watcher.subs)
	s.watcher.mu.Unlock()
	return Stats{
		StoreID:         s.header.id,
		Partitions:      s.header.partitions,
		InlineLimit:     s.header.inlineLimit,
		Engine:          s.engine.String(),
		Appends:         s.stats.appends.Load(),
		Events:          s.stats.events.Load(),
		Batches:         s.stats.batches.Load(),
		Mutations:       s.stats.mutations.Load(),
		Retries:         s.stats.retries.Load(),
		UnknownResolved: s.stats.unknownResolved.Load(),
		Pages:           s.stats.pages.Load(),
		Subscribers:     subscribers,
	}
}
