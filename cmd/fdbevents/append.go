package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/ingest"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/google/uuid"
	"github.com/urfave/cli/v2"
)

const appendDescription = `With --data, appends one event to STREAM.

Without --data, reads events from standard input or --file, one JSON object per line.
"type" is required, and so is "stream" unless STREAM is given:

   {"stream": "order-1", "type": "OrderPlaced", "id": "UUID", "data": {"any": "JSON"},
    "metadata": {"any": "JSON"}, "tags": ["customer:7"], "contentType": "application/json",
    "created": "2026-01-31T12:00:00Z"}

Anything that is not JSON goes into "dataBase64" and "metadataBase64". The output of
"read --all -o json" is valid input. An event whose id is already in its stream is not
stored again, so input with ids can be appended again after a failure.

Prints one JSON line for each append once it is durable, in the order of the input.
Many appends run at once, so events of different streams may enter the log in another
order. With --in-order, each append waits for the one before.

With --expected, appends wait as well: the expectation holds for the first append to
each stream, and later appends continue from there.

With --unless-query, all events of the input are one append, which is refused if an
event that matches QUERY exists after the position given by --after: the position of the
last event that the decision to append was based on.`

func (p *program) appendCommand() *cli.Command {
	return &cli.Command{
		Name:        "append",
		Usage:       "append one event, or events from JSON lines",
		UsageText:   "fdbevents append STREAM --type TYPE --data JSON [options]\nfdbevents append [STREAM] [--file FILE] [options]",
		Description: appendDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "expected", Value: "any", Usage: "expected `REVISION` of the stream: any, none (no events), exists, or its last revision"},
			&cli.StringFlag{Name: "unless-query", Usage: "append nothing if an event matches `QUERY`, for example: type=A,B tag=X or tag=Y"},
			&cli.StringFlag{Name: "after", Value: "start", Usage: "with --unless-query: consider only events after `POSITION`"},
			&cli.StringFlag{Name: "type", Usage: "event `TYPE`; for JSON lines, the default"},
			&cli.StringFlag{Name: "data", Usage: "event data: `JSON`, @FILE, or - for standard input"},
			&cli.StringFlag{Name: "metadata", Usage: "with --data: event metadata, `JSON` or @FILE"},
			&cli.StringFlag{Name: "content-type", Usage: "with --data: media `TYPE` of the data, which then need not be JSON"},
			&cli.StringSliceFlag{Name: "tag", KeepSpace: true, Usage: "with --data: add `TAG` to the event (repeatable)"},
			&cli.StringFlag{Name: "id", Usage: "with --data: `UUID` of the event (default: random)"},
			&cli.StringFlag{Name: "file", Usage: "read JSON lines from `FILE` instead of standard input"},
			&cli.BoolFlag{Name: "in-order", DisableDefaultText: true, Usage: "keep the order of the input across streams, too (slower)"},
			&cli.IntFlag{Name: "batch", Value: 1, Usage: "append up to `N` consecutive lines of the same stream, at most 8 MiB, as one: all or nothing"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return usagef(c, "append takes one STREAM, got %q", c.Args().Slice())
			}
			expected, err := fdbevents.ParseExpectedRevision(c.String("expected"))
			if err != nil {
				return usagef(c, "--expected: %v", err)
			}
			condition, err := parseCondition(c)
			if err != nil {
				return err
			}
			if c.IsSet("data") {
				return p.appendOne(c, expected, condition)
			}
			return p.appendLines(c, expected, condition)
		},
	}
}

// appendOne appends the event that the flags describe.
func (p *program) appendOne(c *cli.Context, expected fdbevents.ExpectedRevision, condition *fdbevents.Condition) error {
	stream := c.Args().First()
	switch {
	case stream == "":
		return usagef(c, "append --data needs a STREAM")
	case c.String("type") == "":
		return usagef(c, "append --data needs a --type")
	case c.IsSet("file") || c.IsSet("batch") || c.IsSet("in-order"):
		return usagef(c, "--data is for one event; --file, --batch and --in-order are for JSON lines")
	case c.String("data") == "-" && c.String("metadata") == "-":
		return usagef(c, "only one of --data and --metadata can be standard input")
	}
	ev := fdbevents.EventData{Type: c.String("type"), ContentType: c.String("content-type"), Tags: c.StringSlice("tag")}
	var err error
	if c.IsSet("id") {
		if ev.ID, err = jsonl.ParseID(c.String("id")); err != nil {
			return usagef(c, "--id: %v", err)
		}
	}
	if ev.Data, err = p.payloadFlag(c, "data"); err != nil {
		return err
	}
	if ev.Metadata, err = p.payloadFlag(c, "metadata"); err != nil {
		return err
	}
	if ev.ContentType == "" {
		if len(ev.Data) > 0 && !json.Valid(ev.Data) {
			return usagef(c, "--data is not JSON; name its type with --content-type")
		}
		ev.ContentType = jsonl.ContentType
	}
	return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
		one := fdbevents.StreamAppend{Stream: stream, Expected: expected, Events: []fdbevents.EventData{ev}}
		results, err := appendMaybeIf(c.Context, store, condition, one)
		if err != nil {
			if errors.Is(err, fdbevents.ErrOutcomeUnknown) && ev.ID == uuid.Nil {
				err = fmt.Errorf("%w; this event had no id, so read the stream before you try again", err)
			}
			return err
		}
		result := results[0]
		if _, err := p.stdout.Write(appendResultJSON(nil, result)); err != nil {
			return fmt.Errorf("the event is stored at revision %d, but printing the result failed: %w", result.LastRevision, err)
		}
		return nil
	})
}

// payloadFlag returns the value of --data or --metadata, or what the value refers to.
func (p *program) payloadFlag(c *cli.Context, name string) (payload []byte, err error) {
	value := c.String(name)
	file, isFile := strings.CutPrefix(value, "@")
	switch {
	case value == "-":
		payload, err = io.ReadAll(io.LimitReader(p.stdin, jsonl.MaxLine))
	case isFile:
		payload, err = os.ReadFile(file)
	default:
		payload = []byte(value)
	}
	if err != nil {
		return nil, fmt.Errorf("reading --%s: %w", name, err)
	}
	return payload, nil
}

// appendLines appends the events of the input.
func (p *program) appendLines(c *cli.Context, expected fdbevents.ExpectedRevision, condition *fdbevents.Condition) error {
	for _, flag := range []string{"metadata", "content-type", "tag", "id"} {
		if c.IsSet(flag) {
			return usagef(c, "--%s needs --data; with JSON lines, set it in each line", flag)
		}
	}
	if condition != nil && (c.IsSet("batch") || c.IsSet("in-order")) {
		return usagef(c, "--unless-query appends the whole input as one; it cannot be combined with --batch or --in-order")
	}
	batch := c.Int("batch")
	if batch < 1 || batch > fdbevents.MaxAppendEvents {
		return usagef(c, "--batch %d: want 1 to %d", batch, fdbevents.MaxAppendEvents)
	}
	input := p.stdin
	if name := c.String("file"); name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		input = f
	} else if isTerminal(input) {
		fmt.Fprintln(p.stderr, "Reading events from the terminal, one JSON object per line. Press Ctrl-D to finish.")
	}
	if condition != nil {
		appends, err := readAppends(input, expected, inputDefaults(c))
		if err != nil {
			return err
		}
		return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
			results, err := store.AppendIf(c.Context, *condition, appends...)
			if err != nil {
				return err
			}
			for _, result := range results {
				if _, err := p.stdout.Write(appendResultJSON(nil, result)); err != nil {
					return fmt.Errorf("the events are stored, but printing the results failed: %w", err)
				}
			}
			return nil
		})
	}
	return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
		return p.ingest(c, store, input, expected)
	})
}

// ingest appends the events of the input, and prints the result of each append.
func (p *program) ingest(c *cli.Context, store *fdblayer.Store, input io.Reader, expected fdbevents.ExpectedRevision) error {
	out := bufio.NewWriter(p.stdout)
	// On the same terminal, the bar would mix with the results.
	bar := newProgress(p.stderr, isTerminal(p.stderr) && !isTerminal(p.stdout), "appending", -1)
	var line []byte
	o := ingest.Options{
		Expected: expected,
		Batch:    c.Int("batch"),
		InOrder:  c.Bool("in-order"),
		Stored: func(result fdbevents.AppendResult, events int) error {
			bar.add(int64(events))
			line = appendResultJSON(line[:0], result)
			_, err := out.Write(line)
			return printingResults(err)
		},
		Idle: func() error { return printingResults(out.Flush()) },
	}
	began := time.Now()
	source := jsonl.NewReader(input, inputDefaults(c))
	summary, err := ingest.Run(c.Context, store, source, o)
	bar.finish()
	fmt.Fprintln(p.stderr, ingested(summary, time.Since(began), o.Batch > 1))
	var failed *ingest.Error
	if errors.As(err, &failed) {
		failed.Err = withHint(failed.Err)
	}
	return err
}

// inputDefaults returns the stream and type for lines that leave them out.
func inputDefaults(c *cli.Context) jsonl.Defaults {
	return jsonl.Defaults{Stream: c.Args().First(), Type: c.String("type")}
}

func printingResults(err error) error {
	if err != nil {
		return fmt.Errorf("printing results: %w", err)
	}
	return nil
}

// ingested returns the summary of a run.
func ingested(s ingest.Summary, took time.Duration, batched bool) string {
	text := fmt.Sprintf("%s in %.1f s (%.0f/s)", numberOf(s.Events, "event"), took.Seconds(), float64(s.Events)/took.Seconds())
	if batched {
		text += fmt.Sprintf(", in %s", numberOf(s.Appends, "append"))
	}
	if s.Repeats > 0 {
		text += fmt.Sprintf("; %d already stored", s.Repeats)
	}
	return text
}

// appendResultJSON appends the result of an append to dst, as one line.
func appendResultJSON(dst []byte, r fdbevents.AppendResult) []byte {
	dst = append(dst, `{"stream":`...)
	dst = jsonl.AppendString(dst, r.Stream)
	dst = fmt.Appendf(dst, `,"firstRevision":%d,"lastRevision":%d,"position":"%s"`, r.FirstRevision, r.LastRevision, r.Position)
	if r.Repeat {
		dst = append(dst, `,"repeat":true`...)
	}
	return append(dst, '}', '\n')
}
