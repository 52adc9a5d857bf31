package report

import (
	"math"
	"slices"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Spread is what the turns of a workload gave. All zero, it was not measured.
type Spread struct {
	Median float64
	Min    float64
	Max    float64
	Turns  int
}

// spreadOf leaves out what was not measured: a value that is not above zero.
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

// SpreadOver is of a figure of each turn: a Metric's Of, or a cost. A nil result has
// none.
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

// ratios are those of turn i of one to turn i of the other: turns are interleaved,
// so the two had the machine in the same state. Zero where one was not measured.
func ratios(x, y *harness.Result, figure func(harness.Sample) float64) []float64 {
	a, b := figures(x, figure), figures(y, figure)
	quotients := make([]float64, min(len(a), len(b)))
	for i := range quotients {
		quotients[i] = over(a[i], b[i])
	}
	return quotients
}

// over is a quotient, or zero where it would mean nothing.
func over(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// Measured tells whether a turn had the figure.
func (s Spread) Measured() bool { return s.Turns > 0 }
