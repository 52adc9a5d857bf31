package main

import (
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents/jsonl"
)

// withHint adds to an error about the input what on the command line would help.
func withHint(err error) error {
	var missing *jsonl.MissingError
	switch {
	case !errors.As(err, &missing):
		return err
	case missing.Field == "stream":
		return fmt.Errorf("%w, and the command line names no STREAM to use instead", err)
	default:
		return fmt.Errorf("%w, and the command line has no --type to use instead", err)
	}
}
