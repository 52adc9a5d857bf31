package main

import (
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) truncateCommand() *cli.Command {
	return &cli.Command{
		Name:      "truncate",
		Usage:     "hide the beginning of a stream",
		UsageText: "fdbevents truncate STREAM --before REVISION",
		Description: "Readers of the stream see only its events from REVISION on. Readers of all streams see\n" +
			"the earlier events until \"scavenge\" removes them.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "before", Usage: "`REVISION` of the first event to keep, or end to keep none"},
		},
		Action: func(c *cli.Context) error {
			stream, err := oneStream(c)
			if err != nil {
				return err
			}
			if !c.IsSet("before") {
				return usagef(c, "truncate needs --before")
			}
			before, err := parseRevision(c.String("before"), fdbevents.StreamStart)
			if err != nil {
				return usagef(c, "--before %v", err)
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
				if err := store.Truncate(c.Context, stream, before); err != nil {
					return err
				}
				return p.printStream(c, store, stream)
			})
		},
	}
}
