package plot

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Draw draws the plots that the report has data for as SVG files in the directory,
// which it creates if necessary. Plots with fewer than two points are left out.
func Draw(dir string, r *harness.Report) ([]report.Plot, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of plots: %w", err)
	}
	var plots []report.Plot
	for _, f := range figuresOf(r) {
		file := f.name + ".svg"
		if err := os.WriteFile(filepath.Join(dir, file), f.svg(), 0o644); err != nil {
			return nil, fmt.Errorf("write plot: %w", err)
		}
		plots = append(plots, report.Plot{Title: f.title, Path: path.Join(filepath.Base(dir), file)})
	}
	return plots, nil
}

// figure is a plot that has not been drawn yet.
type figure struct {
	name, title   string
	width, height vg.Length
	draw          func(draw.Canvas)
}

func (f figure) svg() []byte {
	c := vgsvg.New(f.width, f.height)
	f.draw(draw.New(c))
	var b bytes.Buffer
	c.WriteTo(&b) // a bytes.Buffer takes everything
	// The viewer may not have the font; these have letters of the same width.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
}

// figuresOf returns the plots that the report has data for.
func figuresOf(r *harness.Report) (figures []figure) {
	add := func(f figure, ok bool) {
		if ok {
			figures = append(figures, f)
		}
	}
	add(ratesAt(r, harness.BaseAppend))
	for _, s := range sweeps {
		add(s.figure(r))
	}
	add(percentiles(r, harness.BaseAppend))
	add(costs(r, harness.BaseAppend))
	return figures
}

// sweep is a metric over a field of a workload, all else being equal.
type sweep struct {
	name, title, unit string
	operation         harness.Operation
	field             func(*harness.Workload) *int
	metric            report.Metric
	// with is another field that may differ along with it.
	with func(*harness.Workload) *int
}

var sweeps = []sweep{
	{"append-writers", "Appends by writers", "writers", harness.Append, writersOf, report.Rate, nil},
	{"append-streams", "Appends by streams", "streams", harness.Append, streamsOf, report.Rate, nil},
	{"append-events", "Appends by events per append", "events per append", harness.Append, eventsOf, report.Rate, nil},
	{"append-size", "Appends by event size", "bytes of data per event", harness.Append, sizeOf, report.Rate, nil},
	{"append-partitions", "Appends by partitions", "partitions of the log", harness.Append, partitionsOf, report.Rate, nil},
	{"read-partitions", "Reading the log by partitions", "partitions of the log", harness.ReadLog, partitionsOf, report.Rate, nil},
	{"append-log", "Appends as the log grows", "events in the log", harness.Append, logOf, report.P50, nil},
	{"read-log", "Reading the log as it grows", "events in the log", harness.ReadLog, logOf, report.Rate, nil},
	{"load-log", "Loading a stream as the log grows", "events in the log", harness.Load, logOf, report.P50, nil},
	{"open-log", "Opening as the log grows", "events in the log", harness.Open, logOf, report.P50, streamsOf},
	{"live-readers", "Live latency by readers", "readers", harness.Live, readersOf, report.P50, nil},
}

func writersOf(w *harness.Workload) *int    { return &w.Writers }
func readersOf(w *harness.Workload) *int    { return &w.Readers }
func streamsOf(w *harness.Workload) *int    { return &w.Streams }
func eventsOf(w *harness.Workload) *int     { return &w.Events }
func sizeOf(w *harness.Workload) *int       { return &w.Size }
func partitionsOf(w *harness.Workload) *int { return &w.Partitions }
func logOf(w *harness.Workload) *int        { return &w.Log }

func (s sweep) figure(r *harness.Report) (figure, bool) {
	rest, family := s.family(r)
	c := chart{title: s.title, subtitle: report.Describe(rest), x: s.unit, y: axis(s.metric, rest.Operation)}
	for _, system := range r.Systems {
		var points []point
		for _, w := range family {
			y := report.SpreadOver(r.Find(w.Name(), system.Name), s.metric.Of)
			x := float64(*s.field(&w))
			again := slices.ContainsFunc(points, func(p point) bool { return p.x == x })
			if x > 0 && y.Measured() && !again {
				points = append(points, point{x, scaled(y, scale(s.metric))})
			}
		}
		c.add(system, points)
	}
	if len(c.curves) == 0 {
		return figure{}, false
	}
	return c.figure(s.name), true
}

// family returns the workloads that differ only in the field, and what they have in
// common. Of several families it picks the largest, which shows most.
func (s sweep) family(r *harness.Report) (rest harness.Workload, best []harness.Workload) {
	families := make(map[harness.Workload][]harness.Workload)
	for _, w := range report.WorkloadsOf(r, s.operation) {
		common := w
		*s.field(&common) = 0
		if s.with != nil {
			*s.with(&common) = 0
		}
		families[common] = append(families[common], w)
		if len(families[common]) > len(best) {
			rest, best = common, families[common]
		}
	}
	return rest, best
}

// axis returns the label of a metric, with the unit in which it is drawn.
func axis(m report.Metric, op harness.Operation) string {
	switch {
	case m == report.Rate:
		return "events per second"
	case op == harness.Live:
		return "acknowledgement to receipt, " + string(m) + ", ms"
	default:
		return "latency " + string(m) + ", ms"
	}
}

// scale returns the factor from a metric to the unit in which it is drawn.
func scale(m report.Metric) float64 {
	if m == report.P50 || m == report.P99 {
		return 1e-3
	}
	return 1
}

func scaled(s report.Spread, by float64) report.Spread {
	return report.Spread{Median: s.Median * by, Min: s.Min * by, Max: s.Max * by, Turns: s.Turns}
}
