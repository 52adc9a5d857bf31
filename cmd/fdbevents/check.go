package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/urfave/cli/v2"
)

const checkDescription = `Compares every index with the log and prints each problem on one line. The exit code is
1 if there are any. The store can stay in use.

With --sample, checks only events chosen at random, each with everything that leads to
it. This is fast, but surplus index entries are found only without --sample. Pass the
seed it prints to --seed to choose the same events again.

With --repair, rebuilds what it can from the log (entries of streams, ids, tags and
indexes, heads, doorbells) and prints each repair. Records are never changed. Problems
that it cannot repair are printed as usual.`

func (p *program) checkCommand() *cli.Command {
	return &cli.Command{
		Name:        "check",
		Usage:       "verify every index against the log, and optionally repair it",
		UsageText:   "fdbevents check [options]",
		Description: checkDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "sample", Usage: "check only a random `SAMPLE`: a percentage of the events, as in 1%, or a number of events", DefaultText: "all"},
			&cli.Uint64Flag{Name: "seed", Usage: "with --sample: choose the events by seed `N`", DefaultText: "random"},
			&cli.BoolFlag{Name: "repair", DisableDefaultText: true, Usage: "rebuild what can be rebuilt from the log"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef(c, "check takes no arguments, got %q", c.Args().Slice())
			}
			o := check.Options{Repair: c.Bool("repair")}
			switch {
			case c.IsSet("seed") && !c.IsSet("sample"):
				return usagef(c, "--seed needs --sample")
			case c.IsSet("sample") && o.Repair:
				return usagef(c, "--repair checks the whole store; it cannot be combined with --sample")
			case c.IsSet("sample"):
				var err error
				if o.Sample, err = parseSample(c.String("sample")); err != nil {
					return usagef(c, "--sample %v", err)
				}
				o.Sample.Seed = c.Uint64("seed")
			}
			return p.withStore(c, mustExist, func(store *fdblayer.Store) error { return p.check(c, store, o) })
		},
	}
}

func parseSample(text string) (s check.Sample, err error) {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		if s.Share, err = strconv.ParseFloat(percent, 64); err == nil && s.Share > 0 && s.Share <= 100 {
			s.Share /= 100
			return s, nil
		}
	} else if s.Events, err = strconv.ParseInt(text, 10, 64); err == nil && s.Events > 0 {
		return s, nil
	}
	return s, fmt.Errorf("%q: want a percentage of the events, as in 1%%, up to 100%%, or a number of events", text)
}

func (p *program) check(c *cli.Context, store *fdblayer.Store, o check.Options) error {
	checking := newProgress(p.stderr, isTerminal(p.stderr), "checking", -1)
	o.Progress = checking.set
	report, err := check.Run(c.Context, store, o)
	checking.finish()
	if err != nil {
		if report.Mended > 0 {
			return fmt.Errorf("%w; %s repaired", stopped(c.Context, err), numberOf(report.Mended, "problem"))
		}
		return stopped(c.Context, err)
	}
	for _, repair := range report.Repairs {
		if _, err := fmt.Fprintf(p.stdout, "repaired: %s\n", repair); err != nil {
			return err
		}
	}
	if more := report.Mended - int64(len(report.Repairs)); more > 0 {
		if _, err := fmt.Fprintf(p.stdout, "repaired: %d more\n", more); err != nil {
			return err
		}
	}
	for _, problem := range report.Problems {
		if _, err := fmt.Fprintln(p.stdout, problem); err != nil {
			return err
		}
	}
	counts := fmt.Sprintf("%s in %s, %s, %s", numberOf(report.Events, "event"), numberOf(report.Streams, "stream"),
		numberOf(report.IDs, "id"), numberOf(report.Tags, "tag"))
	if report.Seed != 0 {
		counts = fmt.Sprintf("%s sampled from %s, seed %d", numberOf(report.Events, "event"), numberOf(report.Streams, "stream"), report.Seed)
	}
	found := "found"
	if report.Mended > 0 {
		found = fmt.Sprintf("left, %d repaired,", report.Mended)
	}
	switch n := int64(len(report.Problems)); {
	case report.More:
		return fmt.Errorf("more than %s %s in %s", numberOf(n, "problem"), found, counts)
	case n > 0:
		return fmt.Errorf("%s %s in %s", numberOf(n, "problem"), found, counts)
	case report.Mended > 0:
		_, err = fmt.Fprintf(p.stdout, "clean, %s repaired: %s\n", numberOf(report.Mended, "problem"), counts)
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "clean: %s\n", counts)
	return err
}
