package jsonl

import "fmt"

// LineError is an error about one or more lines of the input.
type LineError struct {
	// First and Last are the numbers of the lines, from 1; they are equal for one line.
	First, Last int
	// Err says what is wrong, and includes the value.
	Err error
}

func (e *LineError) Error() string {
	if e.First == e.Last {
		return fmt.Sprintf("line %d: %v", e.First, e.Err)
	}
	return fmt.Sprintf("lines %d to %d: %v", e.First, e.Last, e.Err)
}

func (e *LineError) Unwrap() error { return e.Err }
