package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report"
	"github.com/fdbevents/fdbevents/bench/systems"
	"github.com/urfave/cli/v2"
)

const benchDescription = `Measures appending, reading and following on the cluster or the disk of the store, in
a scratch store that is removed afterwards. The store itself is not touched. The
benchmark uses all the capacity it can get: other users of a cluster will notice.

Latencies are of single operations; "live" latencies are from the acknowledgement of
an event to its receipt. To compare with plain Pebble, or with other software, run
"go run ./bench" in the source tree.`

func (p *program) benchCommand() *cli.Command {
	return &cli.Command{
		Name:        "bench",
		Usage:       "measure how fast a store is on this cluster or disk",
		UsageText:   "fdbevents bench [options]",
		Description: benchDescription,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "run only workloads named `TEXT` or containing it (repeatable)"},
			&cli.IntFlag{Name: "rounds", Value: 3, Usage: "run each workload `N` times"},
			&cli.DurationFlag{Name: "turn", Value: 2 * time.Second, Usage: "let each run last `DURATION`"},
			&cli.StringFlag{Name: "out", Usage: "write all results to `FILE`, as JSON"},
			&cli.StringFlag{Name: "compare", Usage: "compare with the results in `FILE`, written by --out"},
		},
		Action: p.bench,
	}
}

func (p *program) bench(c *cli.Context) (err error) {
	if c.Args().Present() {
		return usagef(c, "bench takes no arguments, got %q", c.Args().Slice())
	}
	o := harness.Options{Rounds: c.Int("rounds"), Turn: c.Duration("turn"), Command: "fdbevents bench", Revision: thisEdition().revision()}
	if o.Rounds < 1 || o.Turn <= 0 {
		return usagef(c, "--rounds %d, --turn %v: want more than 0", o.Rounds, o.Turn)
	}
	if o.Sessions = harness.Select(harness.ClusterSuite(), c.StringSlice("only")); len(o.Sessions) == 0 {
		return usagef(c, "--only %s: no such workload; the workloads are\n  %s",
			strings.Join(c.StringSlice("only"), ", "), strings.Join(harness.Names(harness.ClusterSuite()), "\n  "))
	}
	var old *harness.Report
	if path := c.String("compare"); path != "" {
		if old, err = harness.ReadFile(path); err != nil {
			return err
		}
	}
	system, parent, err := systems.Scratch(c.String("db"))
	if err != nil {
		return err
	}
	o.Hosts = []harness.Host{harness.Here(system)}
	if o.Dir, err = os.MkdirTemp(parent, "fdbevents-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	bar := newProgress(p.stderr, isTerminal(p.stderr), "measuring", -1)
	o.Progress = func(done, total int, _ string) { bar.set(int64(done), int64(total)) }
	r, err := harness.Run(c.Context, o)
	bar.finish()
	if r == nil {
		return err
	}
	if err != nil {
		err = fmt.Errorf("%w; the results are of the workloads that finished", stopped(c.Context, err))
	}
	err = errors.Join(err, report.Summary(p.stdout, r), r.Failed())
	if path := c.String("out"); path != "" {
		err = errors.Join(err, r.WriteFile(path))
	}
	if old != nil {
		err = errors.Join(err, report.PrintChanges(p.stdout, report.Compare(old, r)))
	}
	return err
}
