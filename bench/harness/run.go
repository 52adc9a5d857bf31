package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options say what Run does.
type Options struct {
	Hosts    []Host
	Sessions []Session
	// Only names the systems to run; nil means all.
	Only []string
	// Rounds is how many turns each system gets in a workload, 5 when zero; Turn is how
	// long each turn takes, 1 s when zero.
	Rounds int
	Turn   time.Duration
	// Dir is an existing directory. Each system gets its own directory under it, which
	// is removed when the session ends.
	Dir string
	// Profiles, when not empty, is an existing directory for a CPU profile of the last
	// turn of each subject in each workload.
	Profiles string
	// Progress, when not nil, is called with the number of turns done, the number of
	// all turns, and what comes next. Turns that a system cannot do count as done.
	Progress func(done, total int, next string)
	// Command and Revision go into the report.
	Command, Revision string
}

// Run carries out the sessions one after another. In each session, every system is
// opened on an empty directory. In each workload, the systems take turns round by
// round, and each round begins with a different system. A system's failures are in
// its results; Run returns an error only when the run as a whole cannot go on.
//
// When ctx ends, Run returns a report of what was done until then, and the cause.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Rounds == 0 {
		o.Rounds = 5
	}
	if o.Turn == 0 {
		o.Turn = time.Second
	}
	r := &runner{Options: o, report: &Report{Format: ReportFormat, Began: time.Now().Round(0), Command: o.Command, Revision: o.Revision}}
	var err error
	if r.report.Machine, err = describe(o.Dir); err != nil {
		return nil, err
	}
	if err := r.list(ctx); err != nil {
		return nil, err
	}
	for _, s := range o.Sessions {
		r.total += len(s.Workloads) * len(r.takingPart(s)) * o.Rounds
	}
	for _, s := range o.Sessions {
		if err = r.session(ctx, s); err != nil {
			break
		}
	}
	r.report.Seconds = time.Since(r.report.Began).Seconds()
	return r.report, err
}

type runner struct {
	Options
	report      *Report
	contestants []*contestant
	done, total int
}

// contestant is a system that can be started.
type contestant struct {
	SystemReport
	host Host
	seat seat
	dir  string
	// failed is set when the system cannot go on in this session.
	failed error
}

// list asks the hosts for their systems.
func (r *runner) list(ctx context.Context) error {
	for _, h := range r.Hosts {
		s, err := h.start(ctx)
		if err != nil {
			return err
		}
		a, err := s.do(ctx, command{Do: "list"})
		if err = errors.Join(err, s.leave()); err != nil {
			return fmt.Errorf("list systems: %w", err)
		}
		for _, x := range a.Systems {
			if r.Only == nil || slices.Contains(r.Only, x.Name) {
				r.contestants = append(r.contestants, &contestant{SystemReport: x, host: h})
				r.report.Systems = append(r.report.Systems, x)
			}
		}
	}
	for _, name := range r.Only {
		if !slices.ContainsFunc(r.contestants, func(c *contestant) bool { return c.Name == name }) {
			return fmt.Errorf("there is no system %q; the systems are %s", name, strings.Join(r.names(), ", "))
		}
	}
	if len(r.contestants) == 0 {
		return errors.New("there is no system to measure")
	}
	return nil
}

func (r *runner) names() (names []string) {
	for _, c := range r.contestants {
		names = append(names, c.Name)
	}
	return names
}

func (r *runner) takingPart(s Session) (all []*contestant) {
	for _, c := range r.contestants {
		if s.Systems == nil || slices.Contains(s.Systems, c.Name) {
			all = append(all, c)
		}
	}
	return all
}

func (r *runner) session(ctx context.Context, s Session) (err error) {
	all := r.takingPart(s)
	defer func() {
		for _, c := range all {
			if x := c.end(); x != nil && ctx.Err() == nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", c.Name, x))
			}
		}
	}()
	for _, c := range all {
		r.tell(s.Name + ": opening " + c.Name)
		if err := r.open(ctx, c, filepath.Join(r.Dir, s.Name, c.Name)); err != nil {
			return err
		}
	}
	for _, w := range s.Workloads {
		if err := r.workload(ctx, w, all); err != nil {
			return err
		}
	}
	return nil
}

// open starts a system. If the system is missing on this machine, that is noted for
// all sessions.
func (r *runner) open(ctx context.Context, c *contestant, dir string) (err error) {
	if c.failed = nil; c.Missing != "" {
		c.failed = errors.New(c.Missing)
		return nil
	}
	if c.seat, err = c.host.start(ctx); err != nil {
		return err
	}
	c.dir = dir
	a, err := c.do(ctx, command{Do: "open", System: c.Name, Dir: dir})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if a.Missing {
		c.Missing = a.Error
	}
	c.failed = err
	if i := slices.IndexFunc(r.report.Systems, func(x SystemReport) bool { return x.Name == c.Name }); i >= 0 {
		r.report.Systems[i].Missing = c.Missing
		r.report.Systems[i].Version = a.Version
	}
	return nil
}

// end closes a system and removes its data.
func (c *contestant) end() (err error) {
	if c.seat == nil {
		return nil
	}
	if c.failed == nil {
		_, err = c.do(context.Background(), command{Do: "close"})
	}
	err = errors.Join(err, c.seat.leave(), os.RemoveAll(c.dir))
	c.seat = nil
	return err
}

// do sends a command to the system. A failure there is returned as an error, too.
func (c *contestant) do(ctx context.Context, x command) (answer, error) {
	a, err := c.seat.do(ctx, x)
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	return a, err
}

// workload makes the systems do one workload in turns.
func (r *runner) workload(ctx context.Context, w Workload, all []*contestant) error {
	all = slices.DeleteFunc(slices.Clone(all), func(c *contestant) bool { return c.Missing != "" })
	results := make([]Result, len(all))
	for i, c := range all {
		results[i] = Result{Workload: w, System: c.Name}
		if c.failed != nil {
			results[i].Error = c.failed.Error()
			continue
		}
		r.tell(w.Name() + ": preparing " + c.Name)
		if a, err := c.do(ctx, command{Do: "prepare", Workload: w}); err != nil {
			results[i].Error = err.Error()
			if !a.NotOffered {
				c.failed = err
			}
			continue
		}
		// The first turn is not counted: its caches are empty and its files do not exist.
		if _, err := c.do(ctx, command{Do: "turn", Length: r.Turn / 2}); err != nil {
			results[i].Error, c.failed = err.Error(), err
		}
	}
	for round := range r.Rounds {
		for j := range all {
			i := (j + round) % len(all)
			c, result := all[i], &results[i]
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			r.tell(w.Name() + ": " + c.Name)
			if r.done++; result.Error != "" {
				continue
			}
			x := command{Do: "turn", Length: r.Turn}
			if r.Profiles != "" && c.Kind == Subject && round == r.Rounds-1 {
				x.Profile = filepath.Join(r.Profiles, strings.ReplaceAll(w.Name(), "/", ",")+","+c.Name+".pprof")
			}
			a, err := c.do(ctx, x)
			if err != nil {
				result.Error, c.failed = err.Error(), err
				continue
			}
			result.Samples = append(result.Samples, *a.Sample)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.report.Results = append(r.report.Results, results...)
	return nil
}

func (r *runner) tell(next string) {
	if r.Progress != nil {
		r.Progress(r.done, r.total, next)
	}
}
