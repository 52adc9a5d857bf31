package report

import (
	"fmt"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Outcome is what a report says about a target.
type Outcome struct {
	// Met is valid if Why is empty.
	Met bool
	// Measured is the spread of the figure or ratio over the turns. The median is
	// judged; for Resident, the maximum.
	Measured Spread
	// Why says why the target was not measured; empty if it was.
	Why string
}

// Evaluate measures the target in a report. A ratio compares the same turns of both
// systems, when the machine was in the same state for both.
func (t Target) Evaluate(r *harness.Report) Outcome {
	var o Outcome
	if t.Workload == (harness.Workload{}) {
		o.Measured = everywhere(r, t.System, t.Metric)
		if !o.Measured.Measured() {
			o.Why = reason(r, "", t.System)
		}
	} else {
		o.Measured, o.Why = t.measure(r)
	}
	if o.Why == "" {
		o.Met = t.holds(o.Measured)
	}
	return o
}

func (t Target) measure(r *harness.Report) (Spread, string) {
	name := t.Workload.Name()
	x := r.Find(name, t.System)
	if !SpreadOver(x, t.Metric.Of).Measured() {
		return Spread{}, reason(r, name, t.System)
	}
	if t.Against == "" {
		return SpreadOver(x, t.Metric.Of), ""
	}
	if t.Baseline != (harness.Workload{}) {
		name = t.Baseline.Name()
	}
	if relaxed(r, t.Against) {
		return Spread{}, t.Against + " acknowledges before the data is on disk"
	}
	y := r.Find(name, t.Against)
	s := spreadOf(ratios(x, y, t.Metric.Of))
	if !s.Measured() {
		return Spread{}, reason(r, name, t.Against)
	}
	return s, ""
}

// everywhere returns the spread of a metric over all workloads of a system.
func everywhere(r *harness.Report, system string, m Metric) Spread {
	var values []float64
	for i := range r.Results {
		if x := &r.Results[i]; x.System == system {
			values = append(values, figures(x, m.Of)...)
		}
	}
	return spreadOf(values)
}

// holds compares a spread with the bound. Memory is judged by its maximum: a median
// would hide how much a machine must have.
func (t Target) holds(s Spread) bool {
	v := s.Median
	if t.Metric == Resident {
		v = s.Max
	}
	switch {
	case t.Strict && v == t.Bound:
		return false
	case t.Metric.moreIsBetter():
		return v >= t.Bound
	default:
		return v <= t.Bound
	}
}

// reason says why a system has no figure in a workload.
func reason(r *harness.Report, workload, system string) string {
	for _, s := range r.Systems {
		if s.Name == system && s.Missing != "" {
			return fmt.Sprintf("%s was not run: %s", system, s.Missing)
		}
	}
	x := r.Find(workload, system)
	switch {
	case x != nil && x.Error == harness.NotOffered:
		return system + " does not offer it"
	case x != nil && x.Error != "":
		return fmt.Sprintf("%s failed: %s", system, x.Error)
	case x != nil:
		return fmt.Sprintf("`%s` on %s measured nothing", workload, system)
	case workload == "":
		return system + " was not run"
	default:
		return fmt.Sprintf("`%s` on %s was not run", workload, system)
	}
}

func relaxed(r *harness.Report, system string) bool {
	for _, s := range r.Systems {
		if s.Name == system {
			return s.Relaxed
		}
	}
	return false
}

// boundText formats the bound: "≥ 0.7×".
func (t Target) boundText() string {
	sign := "≤ "
	switch {
	case t.Strict && t.Metric.moreIsBetter():
		sign = "> "
	case t.Strict:
		sign = "< "
	case t.Metric.moreIsBetter():
		sign = "≥ "
	}
	return sign + trim(t.text(t.Bound))
}

// text formats a value of what the target measures.
func (t Target) text(v float64) string {
	if t.Against != "" {
		return times(v)
	}
	return t.Metric.text(v)
}

// figureText says what is measured: "events/s, fdbevents / pebble".
func (t Target) figureText() string {
	if t.Against == "" || t.Against == t.System {
		return fmt.Sprintf("%s, %s", t.Metric, t.System)
	}
	return fmt.Sprintf("%s, %s / %s", t.Metric, t.System, t.Against)
}

func (t Target) workloadText() string {
	text := func(w harness.Workload) string { return string(w.Operation) + ", " + Describe(w) }
	switch {
	case t.Workload == (harness.Workload{}):
		return "the worst of all workloads"
	case t.Baseline != (harness.Workload{}):
		return text(t.Workload) + " / " + text(t.Baseline)
	default:
		return text(t.Workload)
	}
}

func (o Outcome) text() string {
	switch {
	case o.Why != "":
		return "not measured"
	case o.Met:
		return "met"
	default:
		return "**missed**"
	}
}
