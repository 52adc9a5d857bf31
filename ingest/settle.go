package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
	"golang.org/x/sync/semaphore"
)

// outcome is the result of an append, once it is known.
type outcome interface {
	Wait() (fdbevents.AppendResult, error)
}

// finished is an outcome that is already known.
type finished struct {
	result fdbevents.AppendResult
	err    error
}

func (f finished) Wait() (fdbevents.AppendResult, error) { return f.result, f.err }

// submitted is an append under way.
type submitted struct {
	group
	outcome
}

// settler waits for appends in input order. It belongs to one goroutine until that
// goroutine has ended.
type settler struct {
	o    Options
	room *semaphore.Weighted
	// stop stops the reading.
	stop context.CancelCauseFunc

	summary Summary
	// lastLine is the line up to which everything is stored.
	lastLine int
	// failure is the error of the first append that failed, or of Stored or Idle.
	// storedAfter and failedAfter count the events that were under way behind it.
	failure                  error
	storedAfter, failedAfter int64
	// deaf is true after Stored or Idle has failed. Neither is called again.
	deaf bool
}

// settle waits for appends and reports their results. After a failure it stops the reading,
// and still waits for what is under way.
func (s *settler) settle(underWay <-chan submitted) {
	for next := range underWay {
		result, err := next.Wait()
		s.room.Release(next.weight())
		if err != nil {
			s.fail(next.group, err)
			continue
		}
		s.count(next.group, result)
		s.report(func() error {
			if s.o.Stored == nil {
				return nil
			}
			return s.o.Stored(result, len(next.events))
		})
		if len(underWay) == 0 {
			s.idle()
		}
	}
	s.idle()
}

func (s *settler) idle() {
	if s.o.Idle != nil {
		s.report(s.o.Idle)
	}
}

// report calls callback, unless a callback has failed before.
func (s *settler) report(callback func() error) {
	if s.deaf {
		return
	}
	err := callback()
	if err == nil {
		return
	}
	s.deaf = true
	if s.failure == nil {
		s.failure = err
		s.stop(errFailed)
	}
}

func (s *settler) count(g group, result fdbevents.AppendResult) {
	n := int64(len(g.events))
	s.summary.Events += n
	s.summary.Appends++
	if result.Repeat {
		s.summary.Repeats += n
	}
	if s.failure != nil {
		s.storedAfter += n
		return
	}
	s.lastLine = g.last
}

func (s *settler) fail(g group, err error) {
	if s.failure != nil {
		s.failedAfter += int64(len(g.events))
		return
	}
	s.failure = &jsonl.LineError{First: g.first, Last: g.last, Err: err}
	s.stop(errFailed)
}

// explain says what ended the run early, and what is stored.
func (s *settler) explain(ctx context.Context, err error) error {
	var partial *partialError
	switch {
	case s.failure != nil:
		err = s.failure
	case err == nil:
		return nil
	default:
		errors.As(err, &partial)
		if ctx.Err() != nil {
			err = fmt.Errorf("stopped: %w", err)
		}
	}
	e := &Error{Err: err, Stored: s.summary.Events - s.storedAfter, LastLine: s.lastLine, StoredAfter: s.storedAfter, FailedAfter: s.failedAfter}
	if partial != nil {
		e.Waiting, e.WaitingLine = int64(len(partial.events)), partial.first
	}
	return e
}
