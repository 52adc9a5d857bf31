package plot

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	ink  = color.RGBA{0x22, 0x22, 0x22, 0xff}
	pale = color.RGBA{0xe2, 0xe2, 0xe2, 0xff}
)

// look is how a system is drawn, the same in all plots: subjects bold, limits grey and
// dashed, peers in colours that colour-blind readers can tell apart, too.
type look struct {
	line  draw.LineStyle
	glyph draw.GlyphStyle
	// faint is the colour of the range of turns.
	faint color.Color
}

type paint struct {
	color color.RGBA
	glyph draw.GlyphDrawer
	dash  []vg.Length
}

// paints maps the names of systems in reports to their paints.
var paints = map[string]paint{
	"fdbevents":     {color.RGBA{0x00, 0x4c, 0xb3, 0xff}, draw.CircleGlyph{}, nil},
	"fdbevents-fdb": {color.RGBA{0x7a, 0x1f, 0xa2, 0xff}, draw.BoxGlyph{}, nil},
	"pebble":        {color.RGBA{0x55, 0x55, 0x55, 0xff}, draw.RingGlyph{}, []vg.Length{6, 3}},
	"fdb":           {color.RGBA{0x7d, 0x7d, 0x7d, 0xff}, draw.SquareGlyph{}, []vg.Length{3, 3}},
	"fsync":         {color.RGBA{0xa3, 0xa3, 0xa3, 0xff}, draw.CrossGlyph{}, []vg.Length{1, 3}},
	"jetstream":     {color.RGBA{0xe6, 0x9f, 0x00, 0xff}, draw.TriangleGlyph{}, nil},
	"messagedb":     {color.RGBA{0x00, 0x9e, 0x73, 0xff}, draw.PyramidGlyph{}, nil},
	"etcd":          {color.RGBA{0x56, 0xb4, 0xe9, 0xff}, draw.BoxGlyph{}, nil},
	"redis":         {color.RGBA{0xd5, 0x5e, 0x00, 0xff}, draw.PlusGlyph{}, nil},
	"sqlite":        {color.RGBA{0xcc, 0x79, 0xa7, 0xff}, draw.CrossGlyph{}, nil},
	"bbolt":         {color.RGBA{0x9a, 0x8a, 0x1a, 0xff}, draw.RingGlyph{}, nil},
}

// spare holds paints for systems that are not in paints.
var spare = []paint{
	{color.RGBA{0x8b, 0x5a, 0x2b, 0xff}, draw.RingGlyph{}, nil},
	{color.RGBA{0xb0, 0x30, 0x60, 0xff}, draw.TriangleGlyph{}, nil},
	{color.RGBA{0x2f, 0x6f, 0x6f, 0xff}, draw.SquareGlyph{}, nil},
	{color.RGBA{0x6b, 0x8e, 0x23, 0xff}, draw.PlusGlyph{}, nil},
}

// paintOf goes only by the name, so that a system looks the same in all plots. A
// relaxed variant, such as "redis-everysec", gets the paint of its system.
func paintOf(s harness.SystemReport) paint {
	name := s.Name
	if s.Relaxed {
		name, _, _ = strings.Cut(name, "-")
	}
	if p, ok := paints[name]; ok {
		return p
	}
	sum := 0
	for _, b := range []byte(name) {
		sum += int(b)
	}
	return spare[sum%len(spare)]
}

func lookOf(s harness.SystemReport) look {
	p := paintOf(s)
	width, radius := vg.Length(1.5), vg.Length(3)
	if s.Kind == harness.Subject {
		width, radius = 3, 4.5
	}
	faint := p.color
	for _, c := range []*uint8{&faint.R, &faint.G, &faint.B} {
		*c = *c/2 + 0x7f
	}
	dash := p.dash
	if s.Relaxed {
		dash = []vg.Length{1, 2}
	}
	return look{
		line:  draw.LineStyle{Color: p.color, Width: width, Dashes: dash},
		glyph: draw.GlyphStyle{Color: p.color, Radius: radius, Shape: p.glyph},
		faint: faint,
	}
}

func labelOf(s harness.SystemReport) string {
	if s.Relaxed {
		return s.Name + " (relaxed)"
	}
	return s.Name
}

const margin = vg.Length(12)

// head writes the title and subtitle and returns the rest of the canvas.
func head(c draw.Canvas, title, subtitle string) draw.Canvas {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)
	bold := textStyle(15, draw.XLeft)
	bold.Font.Weight = xfont.WeightBold
	c.FillText(bold, vg.Point{X: c.Min.X, Y: c.Max.Y - 8}, title)
	c.FillText(textStyle(12, draw.XLeft), vg.Point{X: c.Min.X, Y: c.Max.Y - 26}, subtitle)
	return draw.Crop(c, 0, 0, 0, -42)
}

func textStyle(size vg.Length, align text.XAlignment) text.Style {
	return text.Style{Color: ink, Font: fontOf(size), XAlign: align, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

// write vertically centers text without tall or descending letters, such as figures,
// which the library does not.
func write(c draw.Canvas, style text.Style, x, y vg.Length, s string) {
	c.FillText(style, vg.Point{X: x, Y: y + style.Font.Size/8}, s)
}

func fontOf(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func newPlot() *plot.Plot {
	p := plot.New()
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = fontOf(12)
		axis.Label.TextStyle.Color = ink
		axis.Label.Padding = 5
		axis.Tick.Label.Font = fontOf(11)
		axis.Tick.Label.Color = ink
		axis.Tick.Length = 4
	}
	return p
}

func grid(both bool) *plotter.Grid {
	g := &plotter.Grid{Vertical: draw.LineStyle{Color: pale, Width: 0.75}}
	if both {
		g.Horizontal = g.Vertical
	}
	return g
}

// atValues returns ticks at the data's values, labelled where there is room.
func atValues(xs []float64) (ticks plot.ConstantTicks) {
	slices.Sort(xs)
	const labels = 14.0
	apart := math.Log(xs[len(xs)-1]/xs[0]) / labels
	last := math.Inf(-1)
	for _, x := range xs {
		tick := plot.Tick{Value: x}
		if math.Log(x)-last >= apart {
			tick.Label, last = report.Short(x), math.Log(x)
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// rounded returns ticks at 1, 2, 5, 10, … that enclose what is drawn. Over more than
// three decades, only powers of ten are labelled.
func rounded(low, high float64) (ticks plot.ConstantTicks) {
	steps := []float64{1, 2, 5}
	first := int(math.Floor(math.Log10(low)))
	wide := math.Log10(high/low) > 3
	for decade := first; ; decade++ {
		for i, step := range steps {
			v := step * math.Pow10(decade)
			next := steps[(i+1)%len(steps)] * math.Pow10(decade)
			if i == len(steps)-1 {
				next *= 10
			}
			if next <= low {
				continue
			}
			tick := plot.Tick{Value: v}
			if i == 0 || !wide {
				tick.Label = report.Short(v)
			}
			ticks = append(ticks, tick)
			if v >= high && len(ticks) > 1 {
				return ticks
			}
		}
	}
}

// linear makes the default ticks, with numbers written as in the other plots.
type linear struct{}

func (linear) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		switch {
		case ticks[i].IsMinor():
		case ticks[i].Value == 0:
			ticks[i].Label = "0"
		default:
			ticks[i].Label = report.Short(ticks[i].Value)
		}
	}
	return ticks
}
