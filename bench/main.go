// Command bench measures fdbevents side by side with its limits, which do only the
// physical part of the same work, and with its peers, which people use instead, and
// writes a report:
//
//	go run ./bench --out report/
//	go run -tags fdb ./bench --out report/ --suite growth
//	go run ./bench --compare report/report.json
//	go run ./bench --document docs/performance.md
//
// Each system runs in its own process. The peers come from bench/peers, a separate
// module. The report lists the systems that the machine does not have.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report"
	"github.com/fdbevents/fdbevents/bench/report/plot"
	"github.com/fdbevents/fdbevents/bench/systems"
	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func main() {
	if harness.IsWorker() {
		os.Exit(harness.Serve(systems.All()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app(os.Stdout, os.Stderr).RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func app(stdout, stderr io.Writer) *cli.App {
	suites := ""
	for _, s := range harness.Suites() {
		suites += fmt.Sprintf("\n   %s: %s", s.Name, s.About)
	}
	return &cli.App{
		Name:            "bench",
		Usage:           "measure fdbevents, its limits and its peers in one run",
		Description:     "Suites:" + suites,
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "write report.md, report.json and plots to `DIR`"},
			&cli.StringSliceFlag{Name: "suite", Value: cli.NewStringSlice(harness.Suites()[0].Name), Usage: "run the workloads of the suite `NAME` (repeatable)"},
			&cli.StringSliceFlag{Name: "only", Usage: "run only workloads named `TEXT` or containing it (repeatable)"},
			&cli.StringSliceFlag{Name: "system", Usage: "run only the system `NAME` (repeatable)"},
			&cli.IntFlag{Name: "rounds", Value: 5, Usage: "give each system `N` turns in each workload"},
			&cli.DurationFlag{Name: "turn", Value: time.Second, Usage: "make each turn last `TIME`"},
			&cli.StringFlag{Name: "dir", Usage: "keep the data in a new directory under `DIR`", DefaultText: "the directory for temporary files"},
			&cli.StringFlag{Name: "peers", Value: "bench/peers", Usage: "`DIR` of the peers' module; empty to run no peers"},
			&cli.StringFlag{Name: "compare", Usage: "report what is slower than in `FILE`, the report.json of another run"},
			&cli.StringFlag{Name: "document", Usage: "measure nothing; regenerate the tables in `DIR/NAME.md` and its plots from DIR/NAME/report.json"},
			&cli.BoolFlag{Name: "add", DisableDefaultText: true, Usage: "with --out: keep the results that the report there has for other workloads and systems"},
			&cli.BoolFlag{Name: "profile", DisableDefaultText: true, Usage: "with --out: write a CPU profile of fdbevents in each workload"},
		},
		Action: func(c *cli.Context) error { return execute(c, stdout, stderr) },
	}
}

func execute(c *cli.Context, stdout, stderr io.Writer) (err error) {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q: bench takes only flags", c.Args().First())
	}
	if path := c.String("document"); path != "" {
		return document(path)
	}
	var earlier *harness.Report
	if c.Bool("add") {
		if earlier, err = harness.ReadFile(filepath.Join(c.String("out"), "report.json")); err != nil {
			return fmt.Errorf("--add: %w", err)
		}
	}
	var old *harness.Report
	if path := c.String("compare"); path != "" {
		// Read before the run, so that a mistyped path does not cost an hour.
		if old, err = harness.ReadFile(path); err != nil {
			return err
		}
	}
	o, err := options(c)
	if err != nil {
		return err
	}
	if o.Dir, err = os.MkdirTemp(c.String("dir"), "fdbevents-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	out := c.String("out")
	if out != "" {
		if err := os.MkdirAll(out, 0o755); err != nil {
			return err
		}
	}
	if c.Bool("profile") {
		if out == "" {
			return errors.New("--profile needs --out, which says where to write the profiles")
		}
		if o.Profiles, err = filepath.Abs(filepath.Join(out, "profiles")); err != nil {
			return err
		}
		if err := os.MkdirAll(o.Profiles, 0o755); err != nil {
			return err
		}
	}
	if o.Hosts, err = hosts(c, o.Dir, stderr); err != nil {
		return err
	}
	var finish func()
	o.Progress, finish = progress(stderr)
	r, err := harness.Run(c.Context, o)
	finish()
	if r == nil {
		return err
	}
	err = errors.Join(err, compare(stdout, old, r), r.Failed())
	if earlier != nil {
		r.Add(earlier)
	}
	return errors.Join(err, publish(out, stdout, r))
}

// options returns the options of the run that the flags ask for.
func options(c *cli.Context) (o harness.Options, err error) {
	o = harness.Options{
		Rounds: c.Int("rounds"), Turn: c.Duration("turn"), Only: c.StringSlice("system"),
		Command: commandLine(), Revision: revision(),
	}
	if len(o.Only) == 0 {
		o.Only = nil
	}
	if o.Rounds < 1 || o.Turn <= 0 {
		return o, fmt.Errorf("--rounds %d, --turn %v: want more than 0", o.Rounds, o.Turn)
	}
	for _, name := range c.StringSlice("suite") {
		i := slices.IndexFunc(harness.Suites(), func(s harness.Suite) bool { return s.Name == name })
		if i < 0 {
			return o, fmt.Errorf("--suite %s: no such suite; see --help", name)
		}
		o.Sessions = append(o.Sessions, harness.Suites()[i].Sessions...)
	}
	texts := c.StringSlice("only")
	if o.Sessions = harness.Select(o.Sessions, texts); len(o.Sessions) == 0 {
		return o, fmt.Errorf("--only %s: no workload of the suite matches", strings.Join(texts, ", "))
	}
	return o, nil
}

// progress shows the progress of a run: a bar on a terminal, elsewhere a line every
// half minute or so.
func progress(stderr io.Writer) (tell func(done, total int, next string), finish func()) {
	if f, ok := stderr.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		var told time.Time
		return func(done, total int, next string) {
			if time.Since(told) > 30*time.Second {
				told = time.Now()
				fmt.Fprintf(stderr, "%d of %d turns; %s\n", done, total, next)
			}
		}, func() {}
	}
	bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(stderr), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionSetSpinnerChangeInterval(0))
	return func(done, total int, next string) {
		bar.ChangeMax(total)
		bar.Describe(next)
		_ = bar.Set(done) // an error only affects the display
	}, func() { _ = bar.Finish() }
}

// hosts returns this program and the peers' program. If the latter cannot be built, a
// host that says why takes its place.
func hosts(c *cli.Context, dir string, stderr io.Writer) ([]harness.Host, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	all := []harness.Host{harness.Program(self)}
	module := c.String("peers")
	if module == "" {
		return all, nil
	}
	program := filepath.Join(dir, "peers")
	fmt.Fprintln(stderr, "building the peers")
	if said, err := exec.CommandContext(c.Context, "go", "build", "-C", module, "-o", program, ".").CombinedOutput(); err != nil {
		reason := fmt.Sprintf("go build -C %s: %v: %s", module, err, strings.TrimSpace(string(said)))
		fmt.Fprintln(stderr, "without peers:", reason)
		return append(all, harness.Absent("peers", reason)), c.Context.Err()
	}
	return append(all, harness.Program(program)), nil
}

// commandLine returns the command with which others can repeat the run.
func commandLine() string {
	line := "go run "
	if systems.WithFoundationDB {
		line += "-tags fdb "
	}
	line += "./bench"
	for _, arg := range os.Args[1:] {
		if arg == "" || strings.ContainsAny(arg, " '\"$*") {
			arg = strconv.Quote(arg)
		}
		line += " " + arg
	}
	return line
}

// revision returns the revision of the source, as git or the build information names
// it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if said, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		return strings.TrimSpace(string(said)) // go run does not record the revision
	}
	return info.Main.Version
}

// publish prints the report, or writes it and its plots to a directory.
func publish(dir string, stdout io.Writer, r *harness.Report) error {
	if dir == "" {
		return report.Markdown(stdout, r, nil)
	}
	plots, err := plot.Draw(filepath.Join(dir, "plots"), r)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := report.Markdown(&b, r, plots); err != nil {
		return err
	}
	path := filepath.Join(dir, "report.md")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return err
	}
	if err := r.WriteFile(filepath.Join(dir, "report.json")); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "report written to", path)
	return err
}

// compare prints what has changed since an older run. Figures that are worse are an
// error.
func compare(stdout io.Writer, old, r *harness.Report) error {
	if old == nil {
		return nil
	}
	if before, now := old.Machine, r.Machine; before.CPU != now.CPU || before.Processors != now.Processors || before.FileSystem != now.FileSystem {
		fmt.Fprintln(stdout, "The older report comes from another machine: where both reports have the limit, figures are also compared as ratios to it.")
	}
	changes := report.Compare(old, r)
	if err := report.PrintChanges(stdout, changes); err != nil {
		return err
	}
	slower := 0
	for _, change := range changes {
		if change.Verdict == report.Slower {
			slower++
		}
	}
	if slower > 0 {
		return fmt.Errorf("%d figures are worse than before", slower)
	}
	return nil
}
