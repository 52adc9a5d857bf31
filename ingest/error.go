package ingest

import "fmt"

// Error says why a run ended before its input did, and how much of the input is stored.
type Error struct {
	// Err is the reason. A failed append is a *[jsonl.LineError].
	Err error
	// Stored counts the events before the failure, all of which are stored. LastLine is
	// the line of the last of them, or 0 if nothing is stored.
	Stored   int64
	LastLine int
	// StoredAfter and FailedAfter count the events that were under way behind the append
	// that failed.
	StoredAfter, FailedAfter int64
	// Waiting counts the events that were read but not appended, because their batch was
	// still incomplete. They begin at line WaitingLine.
	Waiting     int64
	WaitingLine int
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%v; %s stored before it", e.Err, eventCount(e.Stored))
	if e.LastLine > 0 {
		text += fmt.Sprintf(", up to line %d", e.LastLine)
	}
	if behind := e.StoredAfter + e.FailedAfter; behind > 0 {
		text += fmt.Sprintf("; of %d events under way after it, %d are stored", behind, e.StoredAfter)
	}
	if e.Waiting > 0 {
		text += fmt.Sprintf("; %s from line %d on not stored, because their batch is incomplete", eventCount(e.Waiting), e.WaitingLine)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

func eventCount(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}
