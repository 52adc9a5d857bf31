package main

import (
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

func (p *program) checkCommand() *cli.Command {
	return &cli.Command{
		Name:        "check",
		Usage:       "verify every index against the log",
		UsageText:   "fdbevents check",
		Description: "Reads the whole store and compares. Prints the problems, a line each; the exit\ncode is 1 when there are any. Others may use the store meanwhile.",
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef(c, "check takes no arguments, got %q", c.Args().Slice())
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error { return p.check(c, store) })
		},
	}
}

func (p *program) check(c *cli.Context, store *fdblayer.Store) error {
	checking := newProgress(p.stderr, isTerminal(p.stderr), "checking", -1)
	report, err := store.Check(c.Context, fdblayer.CheckOptions{Progress: checking.set})
	checking.finish()
	if err != nil {
		return stopped(c.Context, err)
	}
	for _, problem := range report.Problems {
		if _, err := fmt.Fprintln(p.stdout, problem); err != nil {
			return err
		}
	}
	counts := fmt.Sprintf("%s in %s, %s, %s", numberOf(report.Events, "event"), numberOf(report.Streams, "stream"),
		numberOf(report.IDs, "id"), numberOf(report.Tags, "tag"))
	switch n := int64(len(report.Problems)); {
	case report.More:
		return fmt.Errorf("more than %s found in %s", numberOf(n, "problem"), counts)
	case n > 0:
		return fmt.Errorf("%s found in %s", numberOf(n, "problem"), counts)
	}
	_, err = fmt.Fprintf(p.stdout, "clean: %s\n", counts)
	return err
}
