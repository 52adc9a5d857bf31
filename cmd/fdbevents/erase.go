package main

import (
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/urfave/cli/v2"
)

func (p *program) eraseCommand() *cli.Command {
	return &cli.Command{
		Name:      "erase",
		Usage:     "erase the data and metadata of an event",
		UsageText: "fdbevents erase EVENT-ID",
		Description: "For personal data. The event keeps its place, type, tags, time and id. If several\n" +
			"streams have an event with this id, all of them are erased. Prints where each one is.",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef(c, "erase takes one EVENT-ID, got %q", c.Args().Slice())
			}
			id, err := jsonl.ParseID(c.Args().First())
			if err != nil {
				return usagef(c, "%v", err)
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
				erased, err := store.Erase(c.Context, id)
				if err != nil {
					return err
				}
				for _, ev := range erased {
					if _, err := fmt.Fprintf(p.stdout, "%s %s@%d erased\n", ev.Position, ev.Stream, ev.Revision); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
