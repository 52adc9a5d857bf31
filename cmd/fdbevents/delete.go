package main

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) deleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "delete a stream",
		UsageText: "fdbevents delete STREAM [options]",
		Description: "The stream no longer exists, until an append creates it again; its revisions then\n" +
			"continue where they were. With --permanently, it never accepts an append again.\n" +
			"Readers of all streams see its events until \"scavenge\" removes them.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "expected", Value: "any", Usage: "expected `REVISION` of the stream: any, exists, or its last revision"},
			&cli.BoolFlag{Name: "permanently", DisableDefaultText: true, Usage: "never accept an append to the stream again"},
		},
		Action: func(c *cli.Context) error {
			stream, err := oneStream(c)
			if err != nil {
				return err
			}
			expected, err := fdbevents.ParseExpectedRevision(c.String("expected"))
			if err != nil {
				return usagef(c, "--expected: %v", err)
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
				if c.Bool("permanently") {
					if err := store.Tombstone(c.Context, stream, expected); err != nil {
						return err
					}
					_, err := fmt.Fprintf(p.stdout, "deleted permanently: %s\n", stream)
					return err
				}
				if err := store.Delete(c.Context, stream, expected); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.stdout, "deleted: %s\n", stream)
				return err
			})
		},
	}
}
