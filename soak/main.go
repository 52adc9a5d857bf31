// Command soak puts a store under heavy load for a long time, with faults, restarts and
// kills, and then says whether it has kept its promises:
//
//	go run ./soak --minutes 5
//	go run -tags fdb ./soak --appends 100000 --db 'fdb:fdb.cluster?prefix=soak'
//
// Writers, readers, members of a group, projections and a scavenger work on three
// stores at once, and in a second process that is repeatedly killed with -9. A checker
// records, apart from the store, what each of them was told, and compares it with what
// the store has in the end. The exit code is 0 if nothing is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

func main() {
	if os.Getenv(childVariable) != "" {
		os.Exit(beChild())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app(os.Stdout, os.Stderr).RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// errDefects makes the exit code reflect the table.
var errDefects = errors.New("the store has not kept its promises")

func app(stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:            "soak",
		Usage:           "put a store under heavy load for a long time, and judge it",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.Float64Flag{Name: "minutes", Usage: "end after this many `MINUTES`; 1 if --appends is not given either"},
			&cli.Int64Flag{Name: "appends", Usage: "end after `N` acknowledged appends"},
			&cli.Uint64Flag{Name: "seed", Usage: "seed `N` of everything random (timing still varies); 0 draws one"},
			&cli.StringFlag{Name: "db", Usage: "`URL` of an empty store: file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME", DefaultText: "a directory that is removed afterwards"},
			&cli.BoolFlag{Name: "faults", Value: true, Usage: "make transactions fail in every way they can"},
			&cli.DurationFlag{Name: "restart-every", Value: 5 * time.Second, Usage: "restart or kill something about every `TIME`; 0 means never"},
		},
		Action: func(c *cli.Context) error { return execute(c, stdout, stderr) },
	}
}

func execute(c *cli.Context, stdout, stderr io.Writer) (err error) {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	o := options{
		url:      c.String("db"),
		seed:     c.Uint64("seed"),
		time:     time.Duration(c.Float64("minutes") * float64(time.Minute)),
		appends:  c.Int64("appends"),
		faults:   c.Bool("faults"),
		restart:  c.Duration("restart-every"),
		crowd:    256,
		progress: stderr,
	}
	if o.time < 0 || o.appends < 0 || o.restart < 0 {
		return fmt.Errorf("--minutes %v, --appends %d, --restart-every %v: want 0 or more", c.Float64("minutes"), o.appends, o.restart)
	}
	if o.time == 0 && o.appends == 0 {
		o.time = time.Minute
	}
	for o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if o.url == "" {
		dir, err := os.MkdirTemp("", "soak")
		if err != nil {
			return err
		}
		o.url = "file:" + filepath.Join(dir, "store")
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	o.child = !strings.HasPrefix(o.url, "mem:") // no other process can open that
	fmt.Fprintf(stderr, "%s, seed %d\n", o.url, o.seed)
	r, err := soak(c.Context, o)
	if r != nil {
		err = errors.Join(err, r.print(stdout))
	}
	return err
}

// print writes the figures and the verdict.
func (r *run) print(w io.Writer) error {
	c := r.checker
	n := c.acknowledged.Load()
	unresolved, present := c.unresolved()
	kills := 0
	if r.child != nil {
		kills = r.child.kills
	}
	fmt.Fprintf(w, "%d appends acknowledged in %.0fs (%.0f/s), %d events in the log\n", n, r.took.Seconds(), float64(n)/r.took.Seconds(), r.events)
	fmt.Fprintf(w, "%d sent again, %d outcomes unknown; %d events never resolved, %d of them in the log\n", c.repeats.Load(), c.unknown.Load(), unresolved, present)
	fmt.Fprintf(w, "%d faults, %d stores and %d engines restarted, %d kills\n", r.site.injected.Load(), r.site.restarts.Load(), r.site.reopened.Load(), kills)
	fmt.Fprintf(w, "%d messages handed out, %d acknowledged, %d fenced\n", c.group.handed, c.group.settled, c.group.fenced)
	if err := c.verdict.print(w); err != nil {
		return err
	}
	if c.verdict.total() > 0 {
		return fmt.Errorf("%w; run again with --seed %d", errDefects, r.seed)
	}
	return nil
}
