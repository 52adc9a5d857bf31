package main

import (
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
)

// withHint adds to an error about the input how the command line can help.
func withHint(err error) error {
	var (
		missing *jsonl.MissingError
		lines   *jsonl.LineError
		limit   *fdbevents.LimitError
	)
	switch {
	case errors.As(err, &missing) && missing.Field == "stream":
		return fmt.Errorf("%w; add it to the line or name a STREAM", err)
	case errors.As(err, &missing):
		return fmt.Errorf("%w; add it to the line or give --type", err)
	case errors.As(err, &limit) && errors.As(err, &lines) && lines.First < lines.Last:
		return fmt.Errorf("%w; a smaller --batch helps", err)
	}
	return err
}
