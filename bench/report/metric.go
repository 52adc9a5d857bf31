package report

import "github.com/fdbevents/fdbevents/bench/harness"

// Metric is a figure of a turn that can be judged.
type Metric string

const (
	// Rate is events per second, the only metric where more is better.
	Rate Metric = "events/s"
	// P50 and P99 are latencies of single operations.
	P50 Metric = "p50"
	P99 Metric = "p99"
	// Resident is the peak memory of the system's processes.
	Resident Metric = "resident"
)

// Of returns the metric of a turn in events per second, microseconds or bytes, or zero
// if it was not measured.
func (m Metric) Of(s harness.Sample) float64 {
	switch m {
	case P50:
		return s.Latency.P50
	case P99:
		return s.Latency.P99
	case Resident:
		return float64(s.Resident)
	default:
		return rate(s)
	}
}

func (m Metric) moreIsBetter() bool { return m == Rate }

// text formats a value with its unit. A Rate has none: its name is its unit.
func (m Metric) text(v float64) string {
	switch {
	case m == Resident:
		return byteText(v)
	case m == Rate:
		return Number(v)
	default:
		return durationText(v)
	}
}

// rate returns events per second, and zero, not infinity, for a turn that took no
// time.
func rate(s harness.Sample) float64 { return over(float64(s.Events), s.Seconds) }

// CPUMicros returns the CPU time per event in microseconds. Like all costs, it is zero
// if nothing was done.
func CPUMicros(s harness.Sample) float64 { return over(s.CPUSeconds*1e6, float64(s.Events)) }

// Written returns the bytes written to disk per event.
func Written(s harness.Sample) float64 { return over(float64(s.BytesWritten), float64(s.Events)) }

// DiskPerEvent returns the bytes that an event takes on disk after the turn.
func DiskPerEvent(s harness.Sample) float64 { return over(float64(s.DiskBytes), float64(s.LogEvents)) }

func allocations(s harness.Sample) float64 { return over(float64(s.Allocations), float64(s.Events)) }

func amplification(s harness.Sample) float64 { return over(float64(s.BytesWritten), float64(s.Bytes)) }

// comparedBy returns the metric by which systems are compared at an operation. The
// rate of a Live workload is given, and Open has no events.
func comparedBy(op harness.Operation) Metric {
	if op == harness.Live || op == harness.Open {
		return P50
	}
	return Rate
}

// writes reports whether an operation appends, so that write amplification makes
// sense for it.
func writes(op harness.Operation) bool {
	switch op {
	case harness.Append, harness.AppendAny, harness.AppendUnless, harness.Live:
		return true
	}
	return false
}
