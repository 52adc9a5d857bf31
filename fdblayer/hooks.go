package fdblayer

import (
	"errors"

	"github.com/fdbevents/fdbevents/engine"
)

// Hooks tell an observer what a Store does apart from its callers' own calls. Each may
// be nil. They are called from any goroutine, delay whatever they report until they
// return, and must not call the Store.
type Hooks struct {
	// Trouble is called with an error that a goroutine of the Store survives because it
	// tries again: of a read of the log's end, a watch, or a group member's heartbeat.
	// what says what was being done.
	Trouble func(what string, err error)
	// Retry is called with the error for which a transaction that may write is run again,
	// most often a conflict. Once an outcome was unknown, that error stays for all further
	// attempts. A read-only transaction that is run again only counts in Stats.Retries.
	Retry func(err error)
}

// trouble reports an error that the Store survives. It ignores nil.
func (s *Store) trouble(what string, err error) {
	if err == nil {
		return
	}
	s.stats.troubles.Add(1)
	if s.logger != nil {
		s.logger.Warn("fdbevents: "+what+" failed; trying again", "error", err)
	}
	if s.hooks.Trouble != nil {
		s.hooks.Trouble(what, err)
	}
}

// retried counts an attempt after an earlier one failed with err. It ignores nil, which
// is the err of the first attempt.
func (s *Store) retried(err error) {
	if err == nil {
		return
	}
	s.stats.retries.Add(1)
	if errors.Is(err, engine.ErrConflict) {
		s.stats.conflicts.Add(1)
	}
	if s.hooks.Retry != nil {
		s.hooks.Retry(err)
	}
}
