package ingest

import (
	"context"

	"github.com/fdbevents/fdbevents/jsonl"
)

// read is an event, or the error that ended the source.
type read struct {
	entry jsonl.Entry
	err   error
}

// readAhead sends what the source yields, up to and including its first error.
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
