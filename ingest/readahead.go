package ingest

import (
	"context"

	"github.com/fdbevents/fdbevents/jsonl"
)

// read is an event, or why there is no further one.
type read struct {
	entry jsonl.Entry
	err   error
}

// readAhead hands on what the source has, up to its first error.
func readAhead(ctx context.Context, source Source, entries chan<- read) {
	for {
		e, err := source.Next()
		select {
		case entries <- read{e, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
