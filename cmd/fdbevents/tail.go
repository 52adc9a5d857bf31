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
		Usage:     "print events, and go on as they are appended",
		UsageText: "fdbevents tail STREAM [options]\nfdbevents tail --all [options]\nfdbevents tail --all --group NAME [options]",
		Description: "Prints what is there and then, without a gap, what is appended later, by\n" +
			"whatever process, until it is interrupted. The store and the stream need not\n" +
			"exist yet. With --from and the position, or for a STREAM the revision, of the\n" +
			"last line that was printed, it continues after that line.\n\n" +
			"With --group it becomes a member of that consumer group: each event is printed\n" +
			"by one of the members, those of a stream in order, and acknowledged when its\n" +
			"line is written; after a crash it is printed again. The first member's --from,\n" +
			"--type, --tag and --stream-prefix are the group's; later ones leave them out.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "begin `AFTER` this position, or for a STREAM this revision, exclusive; or start, or end for new events only (default: start)"},
			&cli.StringFlag{Name: "group", Usage: "with --all: share the events with the other members of the consumer group `NAME`, which is made if there is none"},
		}, selectionFlags()...),
		Action: func(c *cli.Context) error {
			// A subscription begins after a place: before the first event is -1.
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

// tail prints until ctx ends, which is its ordinary end.
func (p *program) tail(ctx context.Context, store *fdblayer.Store, s selection) error {
	out := newEventWriter(p.stdout, s.asJSON)
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// What is old comes in bulk; what is new shall be seen at once.
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
