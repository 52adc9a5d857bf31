package plot

import (
	"cmp"
	"math"
	"slices"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// chart draws curves on a logarithmic y axis over a logarithmic x axis or over names.
type chart struct {
	title, subtitle string
	x, y            string
	// names, if any, are on the x axis, at 0, 1, 2, …
	names  []string
	curves []curve
}

type curve struct {
	system harness.SystemReport
	points []point
}

type point struct {
	x float64
	y report.Spread
}

// add adds a system's points if they make a curve.
func (c *chart) add(system harness.SystemReport, points []point) {
	if len(points) < 2 {
		return
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	c.curves = append(c.curves, curve{system, points})
}

func (c *chart) figure(name string) figure {
	return figure{name, c.title, chartWidth, chartHeight, c.draw}
}

const (
	chartWidth  vg.Length = 700
	chartHeight vg.Length = 380
	axisLabel   vg.Length = 20
)

func (c *chart) draw(canvas draw.Canvas) {
	canvas = head(canvas, c.title, c.subtitle)
	p := newPlot()
	c.axes(p)
	p.Add(grid(true))
	// The systems that come first in a report lie on top.
	for _, cv := range slices.Backward(c.curves) {
		cv.draw(p)
	}
	// The legend stands beside the curves, so that it covers none of them.
	legend := c.legendWidth()
	area := draw.Crop(canvas, 0, -legend-margin, axisLabel, -axisLabel)
	p.Draw(area)
	// The axis labels are drawn here, because the library gets the middle of a
	// logarithmic axis wrong and makes room there for its own labels.
	write(canvas, textStyle(12, draw.XLeft), area.Min.X, area.Max.Y+axisLabel-6, c.y)
	data := p.DataCanvas(area)
	write(canvas, textStyle(12, draw.XCenter), data.Center().X, canvas.Min.Y+9, c.x)
	c.legend(draw.Crop(canvas, canvas.Max.X-canvas.Min.X-legend, 0, 0, 0))
}

// axes sets the axes by the data, not by what was drawn, and ends them at round
// numbers.
func (c *chart) axes(p *plot.Plot) {
	lowX, highX := math.Inf(1), 0.0
	lowY, highY := math.Inf(1), 0.0
	var xs []float64
	for _, cv := range c.curves {
		for _, pt := range cv.points {
			lowX, highX = min(lowX, pt.x), max(highX, pt.x)
			lowY, highY = min(lowY, pt.y.Min), max(highY, pt.y.Max)
			if !slices.Contains(xs, pt.x) {
				xs = append(xs, pt.x)
			}
		}
	}
	p.X.Min, p.X.Max = lowX, highX
	var ticks plot.ConstantTicks
	if c.names != nil {
		for i, name := range c.names {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
		}
	} else {
		p.X.Scale = plot.LogScale{}
		ticks = atValues(xs)
	}
	p.X.Tick.Marker = ticks
	p.Y.Scale = plot.LogScale{}
	ticks = rounded(lowY, highY)
	p.Y.Tick.Marker = ticks
	p.Y.Min, p.Y.Max = ticks[0].Value, ticks[len(ticks)-1].Value
}

func (cv curve) draw(p *plot.Plot) {
	look := lookOf(cv.system)
	xys := make(plotter.XYs, len(cv.points))
	for i, pt := range cv.points {
		xys[i] = plotter.XY{X: pt.x, Y: pt.y.Median}
	}
	p.Add(turns{cv, look})
	p.Add(&plotter.Line{XYs: xys, LineStyle: look.line})
	p.Add(&plotter.Scatter{XYs: xys, GlyphStyle: look.glyph})
}

// turns draws thin lines from the minimum to the maximum.
type turns struct {
	curve
	look look
}

func (t turns) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: t.look.faint, Width: 1}
	for _, pt := range t.points {
		c.StrokeLine2(style, x(pt.x), y(pt.y.Min), x(pt.x), y(pt.y.Max))
	}
}

const (
	legendLine   = 18 // height
	legendSample = 26 // width
	legendGap    = 6
)

func (c *chart) legendWidth() (width vg.Length) {
	for _, cv := range c.curves {
		width = max(width, textStyle(12, draw.XLeft).Width(labelOf(cv.system)))
	}
	return legendSample + legendGap + 1.15*width // the viewer's font may be wider
}

// legend lists the curves by their right ends, from top to bottom.
func (c *chart) legend(canvas draw.Canvas) {
	sorted := slices.Clone(c.curves)
	slices.SortStableFunc(sorted, func(a, b curve) int {
		return cmp.Compare(b.points[len(b.points)-1].y.Median, a.points[len(a.points)-1].y.Median)
	})
	y := canvas.Max.Y - legendLine
	for _, cv := range sorted {
		look := lookOf(cv.system)
		canvas.StrokeLine2(look.line, canvas.Min.X, y, canvas.Min.X+legendSample, y)
		canvas.DrawGlyph(look.glyph, vg.Point{X: canvas.Min.X + legendSample/2, Y: y})
		write(canvas, textStyle(12, draw.XLeft), canvas.Min.X+legendSample+legendGap, y, labelOf(cv.system))
		y -= legendLine
	}
}

// percentiles draws how slow the slowest operations are.
func percentiles(r *harness.Report, w harness.Workload) (figure, bool) {
	c := chart{title: "Latency of appends", subtitle: report.Describe(w), x: "percentile of appends", y: "latency, ms",
		names: []string{"50 %", "90 %", "99 %", "99.9 %", "slowest"}}
	at := []func(harness.Latency) float64{
		func(l harness.Latency) float64 { return l.P50 },
		func(l harness.Latency) float64 { return l.P90 },
		func(l harness.Latency) float64 { return l.P99 },
		func(l harness.Latency) float64 { return l.P999 },
		func(l harness.Latency) float64 { return l.Max },
	}
	for _, system := range r.Systems {
		var points []point
		for i, percentile := range at {
			y := report.SpreadOver(r.Find(w.Name(), system.Name), func(s harness.Sample) float64 { return percentile(s.Latency) })
			if y.Measured() {
				points = append(points, point{float64(i), scaled(y, 1e-3)})
			}
		}
		c.add(system, points)
	}
	if len(c.curves) == 0 {
		return figure{}, false
	}
	return c.figure("append-latency"), true
}
