package ingest

import (
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
)

// Source is where events come from: a [jsonl.Reader], for one. Next is called by one
// goroutine at a time. At the end its error is io.EOF. It may block, and Run then does
// not wait for it when its context ends: a call may come back after Run has.
type Source interface {
	Next() (jsonl.Entry, error)
}

// Options say how events are appended.
type Options struct {
	// Expected holds for the first append to each stream, and what follows in the
	// stream continues from there. Any is no expectation; the zero value is revision 0.
	// With an expectation, each append waits for the one before.
	Expected fdbevents.ExpectedRevision
	// Batch is the most events of an append; 0 is 1. Only events in a row for the same
	// stream are appended together, up to fdblayer.MaxAppendSize, as a whole or not at
	// all.
	Batch int
	// InOrder makes each append wait for the one before, so that the log has the order
	// of the input. That is slower.
	InOrder bool
	// Stored is called for each append that is stored, in the order of the input, with
	// the number of its events. An error ends the run. May be nil.
	Stored func(result fdbevents.AppendResult, events int) error
	// Idle is called when no append waits for Stored at this moment, and at the end, so
	// that a buffer is flushed no more often than needed. An error ends the run. May be
	// nil.
	Idle func() error
}

// Summary is what a run has stored.
type Summary struct {
	// Events are those that are stored, Repeats those among them that had been stored
	// before, and Appends the appends that it took.
	Events, Repeats, Appends int64
}
