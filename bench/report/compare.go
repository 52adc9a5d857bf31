package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Verdict says how a figure changed between two reports.
type Verdict string

const (
	Slower Verdict = "slower"
	Faster Verdict = "faster"
	Same   Verdict = "same"
	// Unclear means that a figure and its ratio to the limit disagree: the machine may
	// have caused the change, or may hide one.
	Unclear Verdict = "unclear"
	// OnlyOld and OnlyNew mean that the other report has no counterpart.
	OnlyOld Verdict = "only in the old report"
	OnlyNew Verdict = "only in the new report"
)

// Change compares a figure of a subject in a workload between two reports.
type Change struct {
	Workload harness.Workload
	System   string
	// Metric is empty if only one of the reports has the workload.
	Metric   Metric
	Old, New Spread
	// Slowdown is how many times worse the new median is: 2 means half the rate or
	// twice the latency; below 1, the new median is better.
	Slowdown float64
	// Limit is the system that does only the physical part of the same work, Relative
	// the Slowdown of the ratio to it. They are empty and zero if one of the reports
	// does not have the limit.
	Limit    string
	Relative float64
	Verdict  Verdict
}

const (
	// worth is the smallest slowdown that is reported: a good turn and a bad one differ
	// by less.
	worth = 1.25
	// noise is how far a turn may be off. It is assumed when there are fewer turns than
	// enough, because their minimum and maximum say nothing.
	noise  = 0.15
	enough = 3
)

// Compare judges each figure of the subjects that both reports have: events per
// second and the latencies p50 and p99.
//
// A figure has changed if its medians differ by more than a factor of 1.25 and the
// turns of the two reports, from minimum to maximum, do not overlap. The range of
// fewer than three turns is widened by 15 %. When turns are off by up to 15 %, half
// the speed then shows from one turn on; equal runs never differ with one or two
// turns, and once in a thousand times with five.
//
// Two runs seldom find the machine in the same state, so where both reports have the
// limit, the same test is applied to the ratio of the subject to the limit, turn by
// turn. The verdict is Slower or Faster only if both agree. A figure that has changed
// along with its limit, because of the machine, is Same: the median of the ratio is
// within a factor of 1.25. A figure that has not changed although its limit has is
// Unclear, and so is a changed figure if the turns of the ratio are too far apart to
// judge.
//
// The rate is not judged in Live workloads, which set it, or in Open, which has no
// events.
func Compare(old, new *harness.Report) []Change {
	var changes []Change
	for _, pair := range pairs(old, new) {
		x, y := old.Find(pair.workload.Name(), pair.system), new.Find(pair.workload.Name(), pair.system)
		switch {
		case !hasSamples(x) && !hasSamples(y):
		case !hasSamples(y):
			changes = append(changes, Change{Workload: pair.workload, System: pair.system, Verdict: OnlyOld})
		case !hasSamples(x):
			changes = append(changes, Change{Workload: pair.workload, System: pair.system, Verdict: OnlyNew})
		default:
			for _, m := range judged(pair.workload.Operation) {
				if c, ok := compareFigure(old, new, x, y, m); ok {
					changes = append(changes, c)
				}
			}
		}
	}
	return changes
}

type pair struct {
	workload harness.Workload
	system   string
}

// pairs returns the workloads of the subjects in either report: in the order of the
// new report, then the rest of the old one.
func pairs(old, new *harness.Report) (all []pair) {
	for _, r := range []*harness.Report{new, old} {
		for _, x := range r.Results {
			p := pair{x.Workload, x.System}
			if isSubject(r, x.System) && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

func isSubject(r *harness.Report, name string) bool {
	return slices.ContainsFunc(r.Systems, func(s harness.SystemReport) bool {
		return s.Name == name && s.Kind == harness.Subject
	})
}

func hasSamples(x *harness.Result) bool { return x != nil && len(x.Samples) > 0 }

func judged(op harness.Operation) []Metric {
	if comparedBy(op) == Rate {
		return []Metric{Rate, P50, P99}
	}
	return []Metric{P50, P99}
}

// compareFigure returns false if one of the reports does not have the figure.
func compareFigure(old, new *harness.Report, x, y *harness.Result, m Metric) (Change, bool) {
	c := Change{Workload: y.Workload, System: y.System, Metric: m,
		Old: SpreadOver(x, m.Of), New: SpreadOver(y, m.Of)}
	if !c.Old.Measured() || !c.New.Measured() {
		return c, false
	}
	c.Slowdown = slowdown(c.Old, c.New, m)
	c.Verdict = changed(c.Old, c.New, m)

	limit := limitOf[y.System]
	name := y.Workload.Name()
	before := spreadOf(ratios(x, old.Find(name, limit), m.Of))
	after := spreadOf(ratios(y, new.Find(name, limit), m.Of))
	if before.Measured() && after.Measured() {
		c.Limit = limit
		c.Relative = slowdown(before, after, m)
		c.Verdict = agreed(c.Verdict, changed(before, after, m), c.Relative)
	}
	return c, true
}

// agreed combines the verdicts on a figure and on its ratio to the limit; relative is
// how many times worse the ratio is.
func agreed(figure, ratio Verdict, relative float64) Verdict {
	switch {
	case figure == ratio:
		return figure
	case ratio == Same && relative < worth && relative > 1/worth:
		return Same // the limit has changed as much
	default:
		return Unclear
	}
}

func slowdown(before, after Spread, m Metric) float64 {
	if m.moreIsBetter() {
		return before.Median / after.Median
	}
	return after.Median / before.Median
}

func changed(before, after Spread, m Metric) Verdict {
	factor := slowdown(before, after, m)
	before, after = before.widened(), after.widened()
	apart := before.Max < after.Min || after.Max < before.Min
	switch {
	case apart && factor > worth:
		return Slower
	case apart && factor < 1/worth:
		return Faster
	default:
		return Same
	}
}

// widened extends the range by noise if there are too few turns.
func (s Spread) widened() Spread {
	if s.Turns < enough {
		s.Min *= 1 - noise
		s.Max *= 1 + noise
	}
	return s
}

// slower orders changes so that the ones to look at first come first.
func slower(a, b Change) int {
	rank := []Verdict{Slower, Unclear, Faster, Same, OnlyNew, OnlyOld}
	if d := slices.Index(rank, a.Verdict) - slices.Index(rank, b.Verdict); d != 0 {
		return d
	}
	if a.Metric == "" || a.Verdict == Same {
		return 0
	}
	return cmp.Compare(math.Abs(math.Log(b.Slowdown)), math.Abs(math.Log(a.Slowdown)))
}
