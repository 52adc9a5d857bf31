package systems_test

import (
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/harness/harnesstest"
	"github.com/fdbevents/fdbevents/bench/systems"
)

// TestSmoke runs each workload briefly on each system of this module. The workloads
// themselves check what they read.
func TestSmoke(t *testing.T) {
	for _, s := range harness.Suites() {
		if s.Name != "smoke" {
			continue
		}
		r, err := harness.Run(t.Context(), harness.Options{
			Hosts: []harness.Host{harness.Here(systems.All()...)}, Sessions: s.Sessions,
			Rounds: 1, Turn: 50 * time.Millisecond, Dir: t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range r.Results {
			for _, x := range result.Samples {
				t.Logf("%-60s %-14s %9.0f events/s  p50 %8.0f µs", result.Workload.Name(), result.System, float64(x.Events)/x.Seconds, x.Latency.P50)
			}
		}
		if err := r.Failed(); err != nil {
			t.Error(err)
		}
	}
}

// TestConformance checks that the measured systems do what they say.
func TestConformance(t *testing.T) {
	for _, s := range systems.All() {
		t.Run(s.Name, func(t *testing.T) { harnesstest.Run(t, s) })
	}
}
