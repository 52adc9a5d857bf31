package report

import (
	"math"
	"slices"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Spread summarizes a figure over the turns of a workload. It is zero if the figure
// was not measured.
type Spread struct {
	Median float64
	Min    float64
	Max    float64
	Turns  int
}

// spreadOf leaves out values that are not above zero, which were not measured.
func spreadOf(values []float64) Spread {
	var measured []float64
	for _, v := range values {
		if v > 0 && !math.IsInf(v, 0) {
			measured = append(measured, v)
		}
	}
	n := len(measured)
	if n == 0 {
		return Spread{}
	}
	slices.Sort(measured)
	median := measured[n/2]
	if n%2 == 0 {
		median = (measured[n/2-1] + measured[n/2]) / 2
	}
	return Spread{Median: median, Min: measured[0], Max: measured[n-1], Turns: n}
}

// SpreadOver returns the spread of a figure over the turns: a Metric's Of, or a cost.
// A nil result has the zero Spread.
func SpreadOver(x *harness.Result, figure func(harness.Sample) float64) Spread {
	return spreadOf(figures(x, figure))
}

func figures(x *harness.Result, figure func(harness.Sample) float64) []float64 {
	if x == nil {
		return nil
	}
	values := make([]float64, len(x.Samples))
	for i, s := range x.Samples {
		values[i] = figure(s)
	}
	return values
}

// ratios divides the figure of each turn of x by the same turn of y: turns are
// interleaved, so the machine was in the same state for both. A ratio is zero if one
// of the figures was not measured.
func ratios(x, y *harness.Result, figure func(harness.Sample) float64) []float64 {
	a, b := figures(x, figure), figures(y, figure)
	quotients := make([]float64, min(len(a), len(b)))
	for i := range quotients {
		quotients[i] = over(a[i], b[i])
	}
	return quotients
}

// over returns a quotient, or zero where it would be meaningless.
func over(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// Measured reports whether any turn had the figure.
func (s Spread) Measured() bool { return s.Turns > 0 }
