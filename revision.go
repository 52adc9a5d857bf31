package fdbevents

import (
	"fmt"
	"math"
	"strconv"
)

const (
	// StreamStart is the first revision of every stream.
	StreamStart int64 = 0
	// StreamEnd is after every revision.
	StreamEnd int64 = math.MaxInt64
)

// ExpectedRevision is what a writer expects of a stream: its exact last revision (0 or
// more), or one of the constants. If the expectation is wrong, the append is refused
// with a [WrongExpectedRevisionError].
type ExpectedRevision int64

const (
	// NoStream expects a stream that has no events, or was deleted.
	NoStream ExpectedRevision = -1
	// Any expects nothing.
	Any ExpectedRevision = -2
	// StreamExists expects a stream that has had at least one event and was not deleted
	// since.
	StreamExists ExpectedRevision = -4
)

// ParseExpectedRevision parses "any", "none", "exists" or a revision.
func ParseExpectedRevision(text string) (ExpectedRevision, error) {
	switch text {
	case "any":
		return Any, nil
	case "none":
		return NoStream, nil
	case "exists":
		return StreamExists, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("expected revision %q: want any, none, exists or a revision (0, 1, 2, …)", text)
	}
	return ExpectedRevision(n), nil
}

// String returns the form that ParseExpectedRevision parses.
func (e ExpectedRevision) String() string {
	switch e {
	case Any:
		return "any"
	case NoStream:
		return "none"
	case StreamExists:
		return "exists"
	}
	return strconv.FormatInt(int64(e), 10)
}

// Validate returns an *InvalidError if e is neither a revision nor one of the
// constants.
func (e ExpectedRevision) Validate() error {
	if e >= 0 || e == NoStream || e == Any || e == StreamExists {
		return nil
	}
	return &InvalidError{What: "expected revision", Value: fmt.Sprint(int64(e)), Reason: "want 0 or more, or Any, NoStream, StreamExists"}
}
