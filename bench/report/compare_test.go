package report

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report/reporttest"
)

const trials = 1000

// verdicts counts the verdicts on the embedded store's append rate over many pairs of
// runs whose turns are off by up to 15 %.
func verdicts(t *testing.T, turns int, old, new func(*reporttest.Synthetic)) map[Verdict]int {
	t.Helper()
	counts := make(map[Verdict]int)
	for trial := range uint64(trials) {
		a, b := reporttest.Noisy(turns, 0.15, 2*trial), reporttest.Noisy(turns, 0.15, 2*trial+1)
		old(&a)
		new(&b)
		for _, c := range Compare(a.Report(harness.BaseAppend), b.Report(harness.BaseAppend)) {
			if c.System == embedded && c.Metric == Rate {
				counts[c.Verdict]++
			}
		}
	}
	t.Logf("%d turns: %v", turns, counts)
	return counts
}

func asItIs(*reporttest.Synthetic) {}

func slowed(by float64) func(*reporttest.Synthetic) {
	return func(s *reporttest.Synthetic) { s.Slow = map[string]float64{embedded: by} }
}

func onMachine(slowdown float64) func(*reporttest.Synthetic) {
	return func(s *reporttest.Synthetic) { s.Machine = slowdown }
}

func without(systems ...string) func(*reporttest.Synthetic) {
	return func(s *reporttest.Synthetic) { s.Without = append(s.Without, systems...) }
}

func both(f, g func(*reporttest.Synthetic)) func(*reporttest.Synthetic) {
	return func(s *reporttest.Synthetic) { f(s); g(s) }
}

func TestCompareRates(t *testing.T) {
	for _, test := range []struct {
		name     string
		old, new func(*reporttest.Synthetic)
		verdict  Verdict
		turns    int
		// least and most bound the number of trials with the verdict.
		least, most int
	}{
		{"half the speed", asItIs, slowed(2), Slower, 5, trials, trials},
		{"half the speed, 3 turns", asItIs, slowed(2), Slower, 3, trials * 99 / 100, trials},
		{"half the speed, no limit", asItIs, both(slowed(2), without(pebble)), Slower, 5, trials, trials},
		{"half the speed, no limit, 3 turns", asItIs, both(slowed(2), without(pebble)), Slower, 3, trials, trials},
		{"half the speed, no limit, 1 turn", asItIs, both(slowed(2), without(pebble)), Slower, 1, trials, trials},
		{"twice the speed", slowed(2), asItIs, Faster, 5, trials, trials},
		{"equal", asItIs, asItIs, Same, 5, trials * 99 / 100, trials},
		{"equal is not slower", asItIs, asItIs, Slower, 5, 0, 0},
		{"equal is not faster", asItIs, asItIs, Faster, 5, 0, 0},
		{"equal is not slower, 3 turns", asItIs, asItIs, Slower, 3, 0, 1},
		{"equal is not slower, no limit", asItIs, without(pebble), Slower, 5, 0, 1},
		{"equal is not slower, no limit, 2 turns", asItIs, without(pebble), Slower, 2, 0, 0},
		{"equal is not slower, no limit, 1 turn", asItIs, without(pebble), Slower, 1, 0, 0},
		{"a machine of half the speed", asItIs, onMachine(2), Slower, 5, 0, 5},
		{"a machine of half the speed is not taken for a change", asItIs, onMachine(2), Same, 5, trials * 9 / 10, trials},
		{"half the speed on a machine of half the speed", asItIs, both(slowed(2), onMachine(2)), Slower, 5, trials, trials},
		{"half the speed, hidden by a machine of twice the speed", asItIs, both(slowed(2), onMachine(0.5)), Unclear, 5, trials * 99 / 100, trials},
	} {
		t.Run(test.name, func(t *testing.T) {
			if n := verdicts(t, test.turns, test.old, test.new)[test.verdict]; n < test.least || n > test.most {
				t.Errorf("%s in %d of %d trials, want %d to %d", test.verdict, n, trials, test.least, test.most)
			}
		})
	}
}

// TestCompareTellsWhat checks that half the speed also shows in the latencies, and
// nowhere else.
func TestCompareTellsWhat(t *testing.T) {
	old, new := reporttest.Noisy(5, 0.15, 1), reporttest.Noisy(5, 0.15, 2)
	new.Slow = map[string]float64{embedded: 2}
	got := make(map[string]Verdict)
	for _, c := range Compare(old.Report(harness.BaseAppend, harness.LiveHundred), new.Report(harness.BaseAppend, harness.LiveHundred)) {
		got[fmt.Sprintf("%s %s %s", c.Workload.Operation, c.System, c.Metric)] = c.Verdict
	}
	want := map[string]Verdict{
		"append fdbevents events/s": Slower, "append fdbevents p50": Slower, "append fdbevents p99": Slower,
		"append fdbevents-fdb events/s": Same, "append fdbevents-fdb p50": Same, "append fdbevents-fdb p99": Same,
		"live fdbevents p50": Slower, "live fdbevents p99": Slower,
		"live fdbevents-fdb p50": Same, "live fdbevents-fdb p99": Same,
	}
	for key, verdict := range want {
		if got[key] != verdict {
			t.Errorf("%s is %q, want %q", key, got[key], verdict)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d figures, want %d: %v", len(got), len(want), got)
	}
}

func TestPrintChanges(t *testing.T) {
	old, new := reporttest.Noisy(5, 0.1, 1), reporttest.Noisy(5, 0.1, 2)
	new.Slow = map[string]float64{embedded: 2, onFDB: 0.4}
	golden(t, "changes.md", func(b *bytes.Buffer) error {
		return PrintChanges(b, Compare(old.Report(harness.BaseAppend, harness.ReadWarm, harness.HotAppend), new.Report(harness.BaseAppend, harness.ReadWarm, harness.OpenMillion)))
	})
}

func TestPrintChangesOfLittle(t *testing.T) {
	zeros := &harness.Report{Systems: reporttest.Systems, Results: []harness.Result{
		{Workload: harness.BaseAppend, System: embedded, Samples: []harness.Sample{{}, {Seconds: 1}}},
		{Workload: harness.LoneAppend, System: embedded, Error: "none"},
	}}
	equal := reporttest.Steady(2).Report(harness.BaseAppend)
	for _, test := range []struct {
		name     string
		old, new *harness.Report
	}{
		{"nothing", &harness.Report{}, &harness.Report{}},
		{"zeros", zeros, zeros},
		{"zeros after something", equal, zeros},
		{"equal", equal, equal},
		{"one turn", reporttest.Steady(1).Report(harness.BaseAppend), equal},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := PrintChanges(&b, Compare(test.old, test.new)); err != nil {
				t.Fatal(err)
			}
			sound(t, b.String())
			if !bytes.HasPrefix(b.Bytes(), []byte("**No workload is slower.**")) {
				t.Errorf("the output is %s", &b)
			}
		})
	}
}
