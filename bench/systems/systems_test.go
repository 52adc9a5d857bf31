package systems_test

import (
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/harness/harnesstest"
	"github.com/fdbevents/fdbevents/bench/systems"
)

// TestSmoke runs a little of each workload on each system of this module: the
// workloads themselves check what they read.
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
		missing := make(map[string]string)
		for _, x := range r.Systems {
			missing[x.Name] = x.Missing
		}
		for _, result := range r.Results {
			switch {
			case result.Error == "":
				x := result.Samples[0]
				t.Logf("%-60s %-14s %9.0f events/s  p50 %8.0f µs  p99 %8.0f µs  %6.1f CPU µs  %5.1f allocs  %6.0f written", result.Workload.Name(), result.System,
					x.Rate(), x.Latency.P50, x.Latency.P99, 1e6*x.CPUSeconds/float64(x.Events), float64(x.Allocations)/float64(x.Events), float64(x.BytesWritten)/float64(x.Events))
			case result.Error != harness.NotOffered && missing[result.System] == "":
				t.Errorf("%s on %s: %s", result.Workload.Name(), result.System, result.Error)
			}
		}
	}
}

// TestConformance makes sure that what is measured does what it says.
func TestConformance(t *testing.T) {
	for _, s := range systems.All() {
		t.Run(s.Name, func(t *testing.T) { harnesstest.Run(t, s) })
	}
}
