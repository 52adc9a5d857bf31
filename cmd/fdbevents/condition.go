package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/urfave/cli/v2"
)

// parseCondition reads --unless-query and --after. It returns nil for no condition.
func parseCondition(c *cli.Context) (*fdbevents.Condition, error) {
	if !c.IsSet("unless-query") {
		if c.IsSet("after") {
			return nil, usagef(c, "--after needs --unless-query")
		}
		return nil, nil
	}
	q, err := fdbevents.ParseQuery(c.String("unless-query"))
	if err != nil {
		return nil, usagef(c, "--unless-query: %v", err)
	}
	after, err := parsePosition(c.String("after"))
	if err != nil {
		return nil, usagef(c, "--after %v", err)
	}
	if after == fdbevents.End {
		return nil, usagef(c, "--after end: no event comes after the end, so the condition could never fail; give the position of the last event you have read")
	}
	return &fdbevents.Condition{Query: q, After: after}, nil
}

// appendMaybeIf appends, under a condition if there is one.
func appendMaybeIf(ctx context.Context, store *fdblayer.Store, condition *fdbevents.Condition, appends ...fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	if condition == nil {
		return store.AppendMany(ctx, appends...)
	}
	return store.AppendIf(ctx, *condition, appends...)
}

// readAppends reads an input that becomes one append. A run of lines for the same stream is
// one part of it. The expectation holds for the first part of each stream.
func readAppends(input io.Reader, expected fdbevents.ExpectedRevision, defaults jsonl.Defaults) (appends []fdbevents.StreamAppend, err error) {
	reader := jsonl.NewReader(input, defaults)
	seen := make(map[string]bool)
	n := 0
	for {
		e, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return appends, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w; nothing was appended", withHint(err))
		}
		if n++; n > fdbevents.MaxAppendEvents {
			return nil, fmt.Errorf("the input has more than %d events, too many for the one append that --unless-query makes; nothing was appended", fdbevents.MaxAppendEvents)
		}
		last := len(appends) - 1
		if last < 0 || appends[last].Stream != e.Stream {
			expectation := expected
			if seen[e.Stream] {
				expectation = fdbevents.Any
			}
			seen[e.Stream] = true
			appends = append(appends, fdbevents.StreamAppend{Stream: e.Stream, Expected: expectation})
			last++
		}
		appends[last].Events = append(appends[last].Events, e.Event)
	}
}
