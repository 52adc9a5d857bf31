package main

import (
	"context"
	"errors"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) tailCommand() *cli.Command {
	return &cli.Command{
		Name:      "tail",
		Usage:     "print events, and follow new ones",
		UsageText: "fdbevents tail STREAM [options]\nfdbevents tail --all [options]\nfdbevents tail --all --group NAME [options]",
		Description: "Prints the events that are there and then, without a gap, new events as any process\n" +
			"appends them, until it is interrupted. The store and the stream need not exist yet.\n" +
			"To continue after the last line that was printed, pass its position, or for a STREAM\n" +
			"its revision, to --from.\n\n" +
			"With --group, tail joins a consumer group. Each event is printed by one of the members,\n" +
			"the events of a stream in order, and acknowledged once its line is written; after a\n" +
			"crash it is printed again. The first member sets the --from, --type, --tag and\n" +
			"--stream-prefix of the group; later members leave them out.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "begin after this `POSITION`, or after this revision of STREAM, or at start, or at end for new events only (default: start)"},
			&cli.StringFlag{Name: "group", Usage: "with --all: share the events with the other members of consumer group `NAME`, created if necessary"},
		}, selectionFlags()...),
		Action: func(c *cli.Context) error {
			// A subscription begins after a revision, so the start is -1.
			s, err := parseSelection(c, "start", fdbevents.StreamStart-1)
			if err != nil {
				return err
			}
			if c.IsSet("group") {
				o, err := parseGroup(c, s)
				if err != nil {
					return err
				}
				return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
					return p.tailGroup(c.Context, store, c.String("group"), o, s.asJSON)
				})
			}
			return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
				return p.tail(c.Context, store, s)
			})
		},
	}
}

// tail prints until ctx ends, which is not an error.
func (p *program) tail(ctx context.Context, store *fdblayer.Store, s selection) error {
	out := newEventWriter(p.stdout, s.asJSON)
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// Old events come in bulk, but a new one must be visible at once.
	o := fdblayer.SubscribeOptions{Filter: s.filter, Idle: func() {
		if err := out.Flush(); err != nil {
			stop(err)
		}
	}}
	events := store.Subscribe(following, s.position, o)
	if s.stream != "" {
		events = store.SubscribeStream(following, s.stream, s.revision, o)
	}
	err := func() error {
		for ev, err := range events {
			if err != nil {
				return err
			}
			if err := out.Write(&ev); err != nil {
				return err
			}
		}
		return nil
	}()
	if ctx.Err() != nil {
		err = nil
	}
	return printed(errors.Join(err, out.Flush()))
}
