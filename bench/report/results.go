package report

import (
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// writeWorkload writes a row for each system, and a line that names the systems
// without one.
func writeWorkload(b *strings.Builder, r *harness.Report, w harness.Workload) {
	t := table{columns: append(texts("system"), numbers(
		"events/s (min to max)", "fdbevents is", "p50 ms", "p99 ms", "p99.9 ms",
		"CPU µs/event", "allocs/event", "written B/event", "written/data", "on disk B/event", "memory MiB")...)}
	var notOffered, failed []string
	for i := range r.Results {
		x := &r.Results[i]
		if x.Workload != w {
			continue
		}
		switch {
		case x.Error == harness.NotOffered:
			notOffered = append(notOffered, x.System)
		case x.Error != "":
			failed = append(failed, fmt.Sprintf("%s (turns measured: %d): %s", x.System, len(x.Samples), inline(x.Error)))
		}
		if len(x.Samples) > 0 {
			t.add(resultRow(r, x)...)
		}
	}
	fmt.Fprintf(b, "#### %s\n\n", Describe(w))
	if len(t.rows) > 0 {
		t.dropEmpty()
		fmt.Fprintf(b, "%s\n", &t)
	}
	fmt.Fprintf(b, "`%s`", w.Name())
	if len(notOffered) > 0 {
		fmt.Fprintf(b, ". Not offered by %s", strings.Join(notOffered, ", "))
	}
	if len(failed) > 0 {
		fmt.Fprintf(b, ". Failed: %s", strings.Join(failed, "; "))
	}
	b.WriteString("\n\n")
}

func resultRow(r *harness.Report, x *harness.Result) []string {
	median := func(figure func(harness.Sample) float64) string { return Number(SpreadOver(x, figure).Median) }
	amplified := none
	if writes(x.Workload.Operation) {
		amplified = median(amplification)
	}
	resident := SpreadOver(x, Resident.Of).Max
	return []string{
		systemText(x.System, relaxed(r, x.System)),
		spreadText(SpreadOver(x, rate), Number),
		comparison(r, x),
		median(func(s harness.Sample) float64 { return s.Latency.P50 / 1000 }),
		median(func(s harness.Sample) float64 { return s.Latency.P99 / 1000 }),
		median(func(s harness.Sample) float64 { return s.Latency.P999 / 1000 }),
		median(CPUMicros), median(allocations), median(Written), amplified, median(DiskPerEvent),
		Number(resident / (1 << 20)),
	}
}

// comparison says how many times as fast fdbevents is: "14×". In the row of plain
// FoundationDB, it is about fdbevents on FoundationDB, whose limit that is.
func comparison(r *harness.Report, x *harness.Result) string {
	subject := embedded
	if x.System == limitOf[onFDB] {
		subject = onFDB
	}
	if x.System == subject || relaxed(r, x.System) {
		return none
	}
	m := comparedBy(x.Workload.Operation)
	quotients := ratios(r.Find(x.Workload.Name(), subject), x, m.Of)
	if !m.moreIsBetter() {
		for i, q := range quotients {
			quotients[i] = over(1, q)
		}
	}
	text := times(spreadOf(quotients).Median)
	if subject != embedded && text != none {
		text = "on it " + text
	}
	return text
}
