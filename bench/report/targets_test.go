package report

import (
	"testing"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report/reporttest"
)

// turnsOf returns a result whose turns have these rates, and latencies and memory
// computed from them.
func turnsOf(w harness.Workload, system string, rates ...float64) harness.Result {
	x := harness.Result{Workload: w, System: system}
	for _, v := range rates {
		x.Samples = append(x.Samples, harness.Sample{
			Seconds: 1, Events: int64(v), Operations: int64(v),
			Latency:  harness.Latency{P50: 1e6 / v, P99: 5e6 / v},
			Resident: int64(v) << 10,
		})
	}
	return x
}

func TestTargetsEvaluate(t *testing.T) {
	ratio := Target{System: embedded, Workload: harness.BaseAppend, Metric: Rate, Against: pebble, Bound: 0.7}
	ahead := Target{System: embedded, Workload: harness.BaseAppend, Metric: Rate, Against: pebble, Bound: 1, Strict: true}
	latency := Target{System: embedded, Workload: harness.BaseAppend, Metric: P50, Against: pebble, Bound: 2}
	absolute := Target{System: embedded, Workload: harness.BaseAppend, Metric: P99, Bound: 5000, Strict: true}
	memory := Target{System: embedded, Metric: Resident, Bound: 2 << 20}
	flat := Target{System: embedded, Workload: harness.LoneAppend, Metric: Rate, Against: embedded, Baseline: harness.BaseAppend, Bound: 0.8}
	ran := func(results ...harness.Result) *harness.Report {
		return &harness.Report{Systems: reporttest.Systems, Results: results}
	}
	for _, test := range []struct {
		name   string
		target Target
		report *harness.Report
		met    bool
		median float64
		why    string
	}{
		// The machine is ten times slower in turn 2, for both.
		{"met, turn by turn", ratio, ran(turnsOf(harness.BaseAppend, embedded, 800, 80, 900), turnsOf(harness.BaseAppend, pebble, 1000, 100, 1000)), true, 0.8, ""},
		{"missed", ratio, ran(turnsOf(harness.BaseAppend, embedded, 600, 60, 900), turnsOf(harness.BaseAppend, pebble, 1000, 100, 1000)), false, 0.6, ""},
		{"met exactly", ratio, ran(turnsOf(harness.BaseAppend, embedded, 700), turnsOf(harness.BaseAppend, pebble, 1000)), true, 0.7, ""},
		{"not met exactly", ahead, ran(turnsOf(harness.BaseAppend, embedded, 1000), turnsOf(harness.BaseAppend, pebble, 1000)), false, 1, ""},
		{"fewer turns of one", ratio, ran(turnsOf(harness.BaseAppend, embedded, 800, 800), turnsOf(harness.BaseAppend, pebble, 1000)), true, 0.8, ""},
		{"latency ratio met", latency, ran(turnsOf(harness.BaseAppend, embedded, 500), turnsOf(harness.BaseAppend, pebble, 1000)), true, 2, ""},
		{"latency ratio missed", latency, ran(turnsOf(harness.BaseAppend, embedded, 400), turnsOf(harness.BaseAppend, pebble, 1000)), false, 2.5, ""},
		{"latency met", absolute, ran(turnsOf(harness.BaseAppend, embedded, 1250, 2000, 100)), true, 4000, ""},
		{"latency missed", absolute, ran(turnsOf(harness.BaseAppend, embedded, 1000)), false, 5000, ""},
		{"memory met", memory, ran(turnsOf(harness.BaseAppend, embedded, 1024), turnsOf(harness.LoneAppend, embedded, 1024, 512)), true, 1 << 20, ""},
		{"memory missed in one turn", memory, ran(turnsOf(harness.BaseAppend, embedded, 512, 512), turnsOf(harness.LoneAppend, embedded, 4096)), false, 512 << 10, ""},
		{"flat", flat, ran(turnsOf(harness.LoneAppend, embedded, 900), turnsOf(harness.BaseAppend, embedded, 1000)), true, 0.9, ""},
		{"not flat", flat, ran(turnsOf(harness.LoneAppend, embedded, 700), turnsOf(harness.BaseAppend, embedded, 1000)), false, 0.7, ""},

		{"nothing was run", ratio, ran(), false, 0, "`append/writers=64/size=256/events=1/streams=1000` on fdbevents was not run"},
		{"no memory", memory, ran(), false, 0, "fdbevents was not run"},
		{"the other did not run", ratio, ran(turnsOf(harness.BaseAppend, embedded, 800)), false, 0, "`append/writers=64/size=256/events=1/streams=1000` on pebble was not run"},
		{"not offered", ratio, ran(turnsOf(harness.BaseAppend, embedded, 800), harness.Result{Workload: harness.BaseAppend, System: pebble, Error: harness.NotOffered}), false, 0, "pebble does not offer it"},
		{"failed", ratio, ran(harness.Result{Workload: harness.BaseAppend, System: embedded, Error: "disk full"}), false, 0, "fdbevents failed: disk full"},
		{"no time passed", ratio, ran(harness.Result{Workload: harness.BaseAppend, System: embedded, Samples: []harness.Sample{{Events: 1}}}), false, 0, "`append/writers=64/size=256/events=1/streams=1000` on fdbevents measured nothing"},
		{"missing", ratio, &harness.Report{
			Systems: []harness.SystemReport{{Name: pebble, Missing: "no disk"}},
			Results: []harness.Result{turnsOf(harness.BaseAppend, embedded, 800)},
		}, false, 0, "pebble was not run: no disk"},
		{"relaxed", ratio, &harness.Report{
			Systems: []harness.SystemReport{{Name: pebble, Relaxed: true}},
			Results: []harness.Result{turnsOf(harness.BaseAppend, embedded, 800), turnsOf(harness.BaseAppend, pebble, 1000)},
		}, false, 0, "pebble acknowledges before the data is on disk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.target.Evaluate(test.report)
			if o.Met != test.met || o.Why != test.why || !near(o.Measured.Median, test.median) {
				t.Errorf("got %+v; want met %v, median %v, why %q", o, test.met, test.median, test.why)
			}
		})
	}
}

func near(a, b float64) bool { return a >= b*0.999999 && a <= b*1.000001 }

// TestTargetsAreMeasurable checks that all targets are measured if everything was run.
func TestTargetsAreMeasurable(t *testing.T) {
	var workloads []harness.Workload
	for _, target := range Targets() {
		for _, w := range []harness.Workload{target.Workload, target.Baseline} {
			if w != (harness.Workload{}) {
				workloads = append(workloads, w)
			}
		}
	}
	r := reporttest.Steady(3).Report(workloads...)
	for _, target := range Targets() {
		o := target.Evaluate(r)
		if o.Why != "" || o.Measured.Turns < 3 {
			t.Errorf("%s: %+v", target.Promise, o)
		}
		if target.Bound <= 0 {
			t.Errorf("%s has no bound", target.Promise)
		}
	}
}
