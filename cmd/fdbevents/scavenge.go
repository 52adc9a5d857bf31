package main

import (
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) scavengeCommand() *cli.Command {
	return &cli.Command{
		Name:      "scavenge",
		Usage:     "remove events that are hidden from readers of their streams",
		UsageText: "fdbevents scavenge",
		Description: "Frees the space of events that were truncated, deleted, or exceed the limits of\n" +
			"\"retain\". The store can stay in use. To resume after an interruption, run it again.",
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef(c, "scavenge takes no arguments, got %q", c.Args().Slice())
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error {
				bar := newProgress(p.stderr, isTerminal(p.stderr), "scavenging", -1)
				report, err := store.Scavenge(c.Context, fdblayer.ScavengeOptions{Progress: bar.set})
				bar.finish()
				counts := fmt.Sprintf("%s removed, %s examined", numberOf(report.Events, "event"), numberOf(report.Streams, "stream"))
				if err != nil {
					return fmt.Errorf("%w; %s", stopped(c.Context, err), counts)
				}
				_, err = fmt.Fprintln(p.stdout, counts)
				return err
			})
		},
	}
}
