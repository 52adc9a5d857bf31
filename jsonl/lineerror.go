package jsonl

import "fmt"

// LineError is about lines of the input.
type LineError struct {
	// First and Last are their numbers, from 1; the same when it is one line.
	First, Last int
	// Err says what is wrong, and has the value in it.
	Err error
}

func (e *LineError) Error() string {
	if e.First == e.Last {
		return fmt.Sprintf("line %d: %v", e.First, e.Err)
	}
	return fmt.Sprintf("lines %d to %d: %v", e.First, e.Last, e.Err)
}

func (e *LineError) Unwrap() error { return e.Err }
