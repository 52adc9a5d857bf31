package report

import (
	"fmt"
	"io"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Summary writes the results as one table for a terminal, with a row for each system
// in each workload.
func Summary(w io.Writer, r *harness.Report) error {
	t := table{columns: append(texts("workload", "system"), numbers("events/s (min to max)", "p50 ms", "p99 ms", "CPU µs/event", "failed")...)}
	for i := range r.Results {
		x := &r.Results[i]
		if x.Error == harness.NotOffered {
			continue
		}
		median := func(figure func(harness.Sample) float64) string { return Number(SpreadOver(x, figure).Median) }
		failed := none
		if x.Error != "" {
			failed = x.Error
		}
		t.add(x.Workload.Name(), x.System, spreadText(SpreadOver(x, rate), Number),
			median(func(s harness.Sample) float64 { return s.Latency.P50 / 1000 }),
			median(func(s harness.Sample) float64 { return s.Latency.P99 / 1000 }),
			median(CPUMicros), failed)
	}
	t.dropEmpty()
	_, err := fmt.Fprint(w, &t)
	return err
}
