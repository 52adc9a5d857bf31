package plot

import (
	"cmp"
	"slices"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bar is the bar of one system. Only the name is drawn if the value was not measured.
type bar struct {
	system harness.SystemReport
	value  report.Spread
}

const barHeight = 24

// barsOf returns a bar for each system that ran the workload, in the report's order.
func barsOf(r *harness.Report, w harness.Workload, value func(harness.Sample) float64) (bars []bar) {
	for _, system := range r.Systems {
		if x := r.Find(w.Name(), system.Name); x != nil && len(x.Samples) > 0 {
			bars = append(bars, bar{system, report.SpreadOver(x, value)})
		}
	}
	return bars
}

// measuredIn counts the bars that have a length.
func measuredIn(bars []bar) (n int) {
	for _, b := range bars {
		if b.value.Measured() {
			n++
		}
	}
	return n
}

// ratesAt draws how fast each system appends, the fastest first.
func ratesAt(r *harness.Report, w harness.Workload) (figure, bool) {
	bars := barsOf(r, w, report.Rate.Of)
	if measuredIn(bars) < 2 {
		return figure{}, false
	}
	slices.SortStableFunc(bars, func(a, b bar) int { return cmp.Compare(b.value.Median, a.value.Median) })
	title := "Appends by system"
	return figure{"append-systems", title, chartWidth, vg.Length(110 + barHeight*len(bars)), func(c draw.Canvas) {
		drawBars(head(c, title, report.Describe(w)), bars, "events per second")
	}}, true
}

// costs draws what an event costs, with the systems in the same order in each panel.
func costs(r *harness.Report, w harness.Workload) (figure, bool) {
	panels := []struct {
		unit string
		bars []bar
	}{
		{"CPU, µs per event", barsOf(r, w, report.CPUMicros)},
		{"written to disk, bytes per event", barsOf(r, w, report.Written)},
		{"size on disk, bytes per event", barsOf(r, w, report.DiskPerEvent)},
		{"memory, MiB", barsOf(r, w, func(s harness.Sample) float64 { return float64(s.Resident) / (1 << 20) })},
	}
	most := 0
	for _, p := range panels {
		most = max(most, measuredIn(p.bars))
	}
	if most < 2 {
		return figure{}, false
	}
	title := "Cost of appends"
	height := vg.Length(60 + 2*(60+barHeight*len(panels[0].bars)))
	return figure{"append-cost", title, chartWidth, height, func(c draw.Canvas) {
		tiles := draw.Tiles{Cols: 2, Rows: 2, PadX: 24, PadY: 16}
		c = head(c, title, report.Describe(w))
		for i, p := range panels {
			drawBars(tiles.At(c, i%2, i/2), p.bars, p.unit)
		}
	}}, true
}

// drawBars draws the bars horizontally, the first on top, each with its figure:
// systems differ by more than lengths can show.
func drawBars(c draw.Canvas, bars []bar, unit string) {
	p := newPlot()
	p.X.Label.Text = unit
	most := 0.0
	ticks := make(plot.ConstantTicks, len(bars))
	for i, b := range bars {
		most = max(most, b.value.Max)
		// The spaces leave room for fonts wider than the one used for the layout.
		ticks[i] = plot.Tick{Value: float64(-i), Label: labelOf(b.system) + "   "}
	}
	p.Y.Tick.Marker = ticks
	p.Y.Tick.Length = 0
	p.Y.Min, p.Y.Max = 0.5-float64(len(bars)), 0.5
	p.X.Min, p.X.Max = 0, most
	if most == 0 {
		p.X.Max = 1
	}
	p.X.Tick.Marker = linear{}
	p.X.Padding, p.Y.Padding = 0, 0
	p.Add(grid(false), lying(bars))
	// Leave room for the figure of the longest bar.
	p.X.Max *= 1 + 70/float64(c.Max.X-c.Min.X-110)
	p.Draw(c)
}

type lying []bar

func (bars lying) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, b := range bars {
		middle := y(float64(-i))
		const half = barHeight * 0.32
		look := lookOf(b.system)
		end := x(b.value.Median)
		corners := []vg.Point{{X: x(0), Y: middle - half}, {X: x(0), Y: middle + half}, {X: end, Y: middle + half}, {X: end, Y: middle - half}}
		if b.system.Relaxed {
			outline := draw.LineStyle{Color: look.line.Color, Width: 1, Dashes: []vg.Length{3, 2}}
			c.StrokeLines(outline, append(corners, corners[0]))
		} else {
			c.FillPolygon(look.line.Color, corners)
		}
		if b.value.Turns > 1 {
			whisker := draw.LineStyle{Color: ink, Width: 1}
			c.StrokeLine2(whisker, x(b.value.Min), middle, x(b.value.Max), middle)
			for _, v := range []float64{b.value.Min, b.value.Max} {
				c.StrokeLine2(whisker, x(v), middle-3, x(v), middle+3)
			}
		}
		write(c, textStyle(11, draw.XLeft), max(end, x(b.value.Max))+5, middle, report.Number(b.value.Median))
	}
}
