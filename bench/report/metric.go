package report

import "github.com/fdbevents/fdbevents/bench/harness"

// Metric is a figure of a turn that is judged.
type Metric string

const (
	// Rate is events a second; the only one of which more is better.
	Rate Metric = "events/s"
	// P50 and P99 are latencies of single operations.
	P50 Metric = "p50"
	P99 Metric = "p99"
	// Resident is the most memory that the system's processes had.
	Resident Metric = "resident"
)

// Of is the figure of a turn: events a second, microseconds, or bytes; zero when it
// was not measured.
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

// text is a figure with its unit; that of a Rate is its name.
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

// rate is Sample.Rate without the infinities of turns that took no time.
func rate(s harness.Sample) float64 { return over(float64(s.Events), s.Seconds) }

// CPUMicros are the microseconds of processor time that an event takes; zero, as all
// costs, when nothing was done.
func CPUMicros(s harness.Sample) float64 { return over(s.CPUSeconds*1e6, float64(s.Events)) }

// Written are the bytes that are written to the disk for an event.
func Written(s harness.Sample) float64 { return over(float64(s.BytesWritten), float64(s.Events)) }

// DiskPerEvent are the bytes that an event takes on the disk afterwards.
func DiskPerEvent(s harness.Sample) float64 { return over(float64(s.DiskBytes), float64(s.LogEvents)) }

func allocations(s harness.Sample) float64 { return over(float64(s.Allocations), float64(s.Events)) }

func amplification(s harness.Sample) float64 { return over(float64(s.BytesWritten), float64(s.Bytes)) }

// comparedBy is the metric in which systems are compared at an operation. Live
// workloads have the rate that they are given, and opening has no events.
func comparedBy(op harness.Operation) Metric {
	if op == harness.Live || op == harness.Open {
		return P50
	}
	return Rate
}

// writes tells whether an operation appends, so that its write amplification means
// something.
func writes(op harness.Operation) bool {
	switch op {
	case harness.Append, harness.AppendAny, harness.AppendUnless, harness.Live:
		return true
	}
	return false
}
