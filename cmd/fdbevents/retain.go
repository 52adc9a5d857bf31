package main

import (
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) retainCommand() *cli.Command {
	return &cli.Command{
		Name:      "retain",
		Usage:     "limit how many events of a stream are kept, or for how long",
		UsageText: "fdbevents retain STREAM [options]",
		Description: "Events beyond a limit are hidden from readers of the stream at once, and removed by\n" +
			"the next \"scavenge\". A limit that is not given is lifted: without options, all events\n" +
			"are kept from now on. Prints the stream as \"streams\" does.",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "max-age", DefaultText: "none", Usage: "hide events created more than `DURATION` ago, for example 720h"},
			&cli.Int64Flag{Name: "max-count", DefaultText: "none", Usage: "hide all but the newest `N` events"},
		},
		Action: func(c *cli.Context) error {
			stream, err := oneStream(c)
			if err != nil {
				return err
			}
			return p.withStore(c, mayCreate, func(store *fdblayer.Store) error {
				r := fdblayer.Retention{MaxAge: c.Duration("max-age"), MaxCount: c.Int64("max-count")}
				if err := store.SetRetention(c.Context, stream, r); err != nil {
					return err
				}
				return p.printStream(c, store, stream)
			})
		},
	}
}
