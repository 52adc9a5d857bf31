package ingest

import (
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
)

// Source yields the events to append; a [jsonl.Reader] is one. Run calls Next from one
// goroutine at a time. At the end, Next returns io.EOF. Next may block: Run does not wait
// for it when its context ends, so a call may return after Run has.
type Source interface {
	Next() (jsonl.Entry, error)
}

// Options say how events are appended.
type Options struct {
	// Expected holds for the first append to each stream; later appends to the stream
	// expect the revision of the append before. Any means no expectation. Note that the
	// zero value is revision 0. With an expectation, each append waits for the one before.
	Expected fdbevents.ExpectedRevision
	// Batch is the maximum number of events in an append; 0 means 1. Only consecutive
	// events of the same stream are appended together, up to fdbevents.MaxAppendSize, and
	// all or none of them.
	Batch int
	// InOrder makes each append wait for the one before, so that the log has the order
	// of the input. This is slower.
	InOrder bool
	// Stored, if not nil, is called in input order for each append that is stored, with
	// the number of its events. An error ends the run.
	Stored func(result fdbevents.AppendResult, events int) error
	// Idle, if not nil, is called whenever no append is waiting for Stored, and at the
	// end, so that a buffer is flushed no more often than needed. An error ends the run.
	Idle func() error
}

// Summary counts what a run has stored.
type Summary struct {
	// Events counts the events that are stored, Repeats the events among them that were
	// stored before, and Appends the appends it took.
	Events, Repeats, Appends int64
}
