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

const appendDescription = `With --data, one event is appended to STREAM.

Without it, events are read from the standard input or --file, one JSON object a
line. Only "type" is required, and "stream" unless STREAM is given:

   {"stream": "order-1", "type": "OrderPlaced", "id": "UUID", "data": {"any": "JSON"},
    "metadata": {"any": "JSON"}, "tags": ["customer:7"], "contentType": "application/json",
    "created": "2026-01-31T12:00:00Z"}

What is not JSON goes into "dataBase64" and "metadataBase64". The output of
"read --all -o json" is such input. An event whose id its stream already has is
not stored again, so input with ids can be appended again after a failure.

For each append, one JSON line is printed once it is durable, in the order of the
input. Many are under way at once, so that events of different streams can come
into the log in another order; with --in-order, each waits for the one before.

With --expected they wait as well: the expectation holds for the first append to
each stream, and what follows continues from there.

With --unless-query, all events of the input are one append, which happens only if
no event that QUERY selects exists after the position of --after: the last one that
the decision to append was made from.`

func (p *program) appendCommand() *cli.Command {
	return &cli.Command{
		Name:        "append",
		Usage:       "append one event, or events from JSON lines",
		UsageText:   "fdbevents append STREAM --type TYPE --data JSON [options]\nfdbevents append [STREAM] [--file FILE] [options]",
		Description: appendDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "expected", Value: "any", Usage: "`REVISION` that the stream must have: any, none (no events), exists, or the last revision"},
			&cli.StringFlag{Name: "unless-query", Usage: "append nothing if an event that `QUERY` selects exists, for example: type=A,B tag=X or tag=Y"},
			&cli.StringFlag{Name: "after", Value: "start", Usage: "with --unless-query: only events after this `POSITION` count"},
			&cli.StringFlag{Name: "type", Usage: "event `TYPE`; for JSON lines, of those that have none"},
			&cli.StringFlag{Name: "data", Usage: "the event's data: `JSON`, @FILE, or - for the standard input"},
			&cli.StringFlag{Name: "metadata", Usage: "with --data: the event's metadata, as `JSON` or @FILE"},
			&cli.StringFlag{Name: "content-type", Usage: "with --data: media `TYPE` of the data, which need not be JSON then"},
			&cli.StringSliceFlag{Name: "tag", KeepSpace: true, Usage: "with --data: a `TAG` of the event (repeatable)"},
			&cli.StringFlag{Name: "id", Usage: "with --data: `UUID` of the event (default: random)"},
			&cli.StringFlag{Name: "file", Usage: "read JSON lines from `FILE` instead of the standard input"},
			&cli.BoolFlag{Name: "in-order", DisableDefaultText: true, Usage: "keep the order of the input between streams too, which is slower"},
			&cli.IntFlag{Name: "batch", Value: 1, Usage: "append up to `N` lines in a row for the same stream, and up to 8 MiB, as one: all or nothing"},
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
		return usagef(c, "only one of --data and --metadata can be the standard input")
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
			return usagef(c, "--data is not JSON; say what it is with --content-type")
		}
		ev.ContentType = jsonl.ContentType
	}
	return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
		one := fdbevents.StreamAppend{Stream: stream, Expected: expected, Events: []fdbevents.EventData{ev}}
		results, err := appendMaybeIf(c.Context, store, condition, one)
		if err != nil {
			if errors.Is(err, fdbevents.ErrOutcomeUnknown) && ev.ID == uuid.Nil {
				err = fmt.Errorf("%w; this one had none: look into the stream before trying again", err)
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

// payloadFlag is the value of --data or --metadata, or what the value refers to.
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
			return usagef(c, "--%s is for one event and goes with --data; of JSON lines, each has its own", flag)
		}
	}
	if condition != nil && (c.IsSet("batch") || c.IsSet("in-order")) {
		return usagef(c, "--unless-query appends all of the input as one, in order; --batch and --in-order do not go with it")
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
		fmt.Fprintln(p.stderr, "Reading events from the terminal, one JSON object a line; end with Ctrl-D.")
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

// ingest appends the events of the input, and prints what became of each.
func (p *program) ingest(c *cli.Context, store *fdblayer.Store, input io.Reader, expected fdbevents.ExpectedRevision) error {
	out := bufio.NewWriter(p.stdout)
	// The bar would mix with results on the same terminal.
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

// inputDefaults are what the command line has for lines that leave it out.
func inputDefaults(c *cli.Context) jsonl.Defaults {
	return jsonl.Defaults{Stream: c.Args().First(), Type: c.String("type")}
}

func printingResults(err error) error {
	if err != nil {
		return fmt.Errorf("printing results: %w", err)
	}
	return nil
}

// ingested is the line for the end of a run.
func ingested(s ingest.Summary, took time.Duration, batched bool) string {
	text := fmt.Sprintf("%s in %.1f s (%.0f/s)", numberOf(s.Events, "event"), took.Seconds(), float64(s.Events)/took.Seconds())
	if batched {
		text += fmt.Sprintf(", in %s", numberOf(s.Appends, "append"))
	}
	if s.Repeats > 0 {
		text += fmt.Sprintf("; %d had been stored before", s.Repeats)
	}
	return text
}

// appendResultJSON appends the line that tells of an append.
func appendResultJSON(dst []byte, r fdbevents.AppendResult) []byte {
	dst = append(dst, `{"stream":`...)
	dst = jsonl.AppendString(dst, r.Stream)
	dst = fmt.Appendf(dst, `,"firstRevision":%d,"lastRevision":%d,"position":"%s"`, r.FirstRevision, r.LastRevision, r.Position)
	if r.Repeat {
		dst = append(dst, `,"repeat":true`...)
	}
	return append(dst, '}', '\n')
}
