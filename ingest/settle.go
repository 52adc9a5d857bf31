package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
	"golang.org/x/sync/semaphore"
)

// outcome waits for an append.
type outcome interface {
	Wait() (fdbevents.AppendResult, error)
}

// finished is an outcome that is there already.
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

// settler waits for appends in the order of the input. It belongs to one goroutine
// until that has ended.
type settler struct {
	o    Options
	room *semaphore.Weighted
	// stop ends the reading.
	stop context.CancelCauseFunc

	summary Summary
	// lastLine is the line up to which all is stored.
	lastLine int
	// failure is the first append that failed, or what Stored or Idle returned;
	// storedAfter and failedAfter count the events under way behind it.
	failure                  error
	storedAfter, failedAfter int64
	// deaf is that nobody wants to hear of results any more.
	deaf bool
}

// settle waits for appends and reports their results. After a failure it ends the
// reading, and goes on with what is under way.
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

// report calls back, unless that has failed before.
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
