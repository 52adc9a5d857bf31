package main

import (
	"context"
	"errors"
	"iter"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) readCommand() *cli.Command {
	return &cli.Command{
		Name:      "read",
		Usage:     "print the events of a stream or of all streams",
		UsageText: "fdbevents read STREAM [options]\nfdbevents read --all [options]",
		Description: "Prints the events that are there, and exits. A line of text is\n\n" +
			"   POSITION STREAM@REVISION TYPE CREATED [TAG TAG] DATA metadata=METADATA\n\n" +
			"A JSON line holds the whole event and can be appended to another store.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "begin at this `POSITION` (inclusive), or at this revision of STREAM, or at start or end (default: start; with --backward, end)"},
			&cli.BoolFlag{Name: "backward", DisableDefaultText: true, Usage: "newest first"},
			&cli.IntFlag{Name: "limit", DefaultText: "all", Usage: "print at most `N` events"},
		}, selectionFlags()...),
		Action: func(c *cli.Context) error {
			from := "start"
			if c.Bool("backward") {
				from = "end"
			}
			s, err := parseSelection(c, from, fdbevents.StreamStart)
			if err != nil {
				return err
			}
			if c.IsSet("limit") && c.Int("limit") < 1 {
				return usagef(c, "--limit %d: want 1 or more", c.Int("limit"))
			}
			o := fdblayer.ReadOptions{Filter: s.filter, Backward: c.Bool("backward"), Limit: c.Int("limit")}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
				events := store.ReadAll(c.Context, s.position, o)
				if s.stream != "" {
					events = store.ReadStream(c.Context, s.stream, s.revision, o)
				}
				return p.print(c.Context, events, s.asJSON)
			})
		},
	}
}

// print writes events until they end, or until nobody reads the output.
func (p *program) print(ctx context.Context, events iter.Seq2[fdbevents.Event, error], asJSON bool) error {
	out := newEventWriter(p.stdout, asJSON)
	err := func() error {
		for ev, err := range events {
			if err != nil {
				return stopped(ctx, err)
			}
			if err := out.Write(&ev); err != nil {
				return err
			}
		}
		return nil
	}()
	return printed(errors.Join(err, out.Flush()))
}
