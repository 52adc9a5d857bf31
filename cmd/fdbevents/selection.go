package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/fdbevents/fdbevents"
	"github.com/urfave/cli/v2"
)

// selection is what "read" and "tail" have in common: which events, from where, and in
// which format.
type selection struct {
	// stream is empty for the log of all streams.
	stream string
	filter fdbevents.Filter
	// revision is where to begin in a stream, position in the log.
	revision int64
	position fdbevents.Position
	// asJSON selects JSON lines instead of text.
	asJSON bool
}

func selectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "all", DisableDefaultText: true, Usage: "all streams, in log order"},
		&cli.StringFlag{Name: "stream-prefix", Usage: "with --all: only streams whose names begin with `PREFIX`"},
		&cli.StringSliceFlag{Name: "type", KeepSpace: true, Usage: "only events of `TYPE` (repeatable: of any of the types)"},
		&cli.StringSliceFlag{Name: "tag", KeepSpace: true, Usage: "only events with `TAG` (repeatable: with all of the tags)"},
		&cli.StringFlag{Name: "query", Usage: "only events that match `QUERY`, for example: type=A,B tag=X or tag=Y"},
		outputFlag(),
	}
}

// parseSelection reads the command line. from is the default of --from, first the revision
// that "start" means.
func parseSelection(c *cli.Context, from string, first int64) (s selection, err error) {
	s.stream = c.Args().First()
	switch {
	case c.NArg() > 1:
		return s, usagef(c, "%s takes one STREAM, got %q", c.Command.Name, c.Args().Slice())
	case c.NArg() == 1 && c.Bool("all"):
		return s, usagef(c, "%s takes a STREAM or --all, not both", c.Command.Name)
	case s.stream == "" && !c.Bool("all"):
		return s, usagef(c, "%s needs a STREAM or --all", c.Command.Name)
	case c.IsSet("stream-prefix") && !c.Bool("all"):
		return s, usagef(c, "--stream-prefix needs --all")
	}
	if s.filter, err = parseFilter(c); err != nil {
		return s, err
	}
	if s.asJSON, err = wantsJSON(c); err != nil {
		return s, err
	}
	if c.IsSet("from") {
		from = c.String("from")
	}
	if s.stream == "" {
		s.position, err = parsePosition(from)
	} else {
		s.revision, err = parseRevision(from, first)
	}
	if err != nil {
		return s, usagef(c, "--from %v", err)
	}
	return s, nil
}

// parseFilter reads the flags that select events.
func parseFilter(c *cli.Context) (f fdbevents.Filter, err error) {
	f = fdbevents.InStreams(c.String("stream-prefix"))
	f.Query, err = parseQueryFlags(c)
	return f, err
}

// parseQueryFlags reads --query, or --type and --tag.
func parseQueryFlags(c *cli.Context) (q fdbevents.Query, err error) {
	if item := (fdbevents.QueryItem{Types: c.StringSlice("type"), Tags: c.StringSlice("tag")}); len(item.Types)+len(item.Tags) > 0 {
		q.Items = []fdbevents.QueryItem{item}
	}
	if c.IsSet("query") {
		if len(q.Items) > 0 {
			return q, usagef(c, "--query cannot be combined with --type or --tag")
		}
		if q, err = fdbevents.ParseQuery(c.String("query")); err != nil {
			return q, usagef(c, "--query: %v", err)
		}
	}
	return q, nil
}

func parsePosition(text string) (fdbevents.Position, error) {
	switch text {
	case "start":
		return fdbevents.Start, nil
	case "end":
		return fdbevents.End, nil
	}
	p, err := fdbevents.ParsePosition(text)
	if err != nil {
		return p, fmt.Errorf("%q: want start, end or a position (24 hex digits, as printed by read)", text)
	}
	return p, nil
}

func parseRevision(text string, first int64) (int64, error) {
	switch text {
	case "start":
		return first, nil
	case "end":
		return fdbevents.StreamEnd, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n < 0 {
		err = errors.New("negative")
	}
	if err != nil {
		return 0, fmt.Errorf("%q: want start, end or a revision (0, 1, 2, …)", text)
	}
	return n, nil
}
