package report

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents/bench/harness"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	ink  = color.RGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xff}
	pale = color.RGBA{R: 0xe2, G: 0xe2, B: 0xe2, A: 0xff}
)

// look is how a system is drawn, the same in all plots: subjects strong, limits
// grey and dashed, peers in colours that also those tell apart who see few.
type look struct {
	line  draw.LineStyle
	glyph draw.GlyphStyle
	// faint is for what the turns were.
	faint color.Color
}

type paint struct {
	color color.RGBA
	glyph draw.GlyphDrawer
	dash  []vg.Length
}

var paints = map[string]paint{
	embedded:     {color.RGBA{R: 0x00, G: 0x4c, B: 0xb3, A: 0xff}, draw.CircleGlyph{}, nil},
	onFDB:        {color.RGBA{R: 0x7a, G: 0x1f, B: 0xa2, A: 0xff}, draw.BoxGlyph{}, nil},
	pebble:       {color.RGBA{R: 0x55, G: 0x55, B: 0x55, A: 0xff}, draw.RingGlyph{}, []vg.Length{6, 3}},
	foundationDB: {color.RGBA{R: 0x7d, G: 0x7d, B: 0x7d, A: 0xff}, draw.SquareGlyph{}, []vg.Length{3, 3}},
	fsync:        {color.RGBA{R: 0xa3, G: 0xa3, B: 0xa3, A: 0xff}, draw.CrossGlyph{}, []vg.Length{1, 3}},
	jetStream:    {color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, draw.TriangleGlyph{}, nil},
	messageDB:    {color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, draw.PyramidGlyph{}, nil},
	etcd:         {color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, draw.BoxGlyph{}, nil},
	redis:        {color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, draw.PlusGlyph{}, nil},
	sqlite:       {color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, draw.CrossGlyph{}, nil},
	bbolt:        {color.RGBA{R: 0x9a, G: 0x8a, B: 0x1a, A: 0xff}, draw.RingGlyph{}, nil},
}

// spare are for systems without a paint of their own.
var spare = []paint{
	{color.RGBA{R: 0x8b, G: 0x5a, B: 0x2b, A: 0xff}, draw.RingGlyph{}, nil},
	{color.RGBA{R: 0xb0, G: 0x30, B: 0x60, A: 0xff}, draw.TriangleGlyph{}, nil},
	{color.RGBA{R: 0x2f, G: 0x6f, B: 0x6f, A: 0xff}, draw.SquareGlyph{}, nil},
	{color.RGBA{R: 0x6b, G: 0x8e, B: 0x23, A: 0xff}, draw.PlusGlyph{}, nil},
}

// paintOf goes by the name alone, so that it is the same in all plots. A relaxed
// variant, "redis-everysec", looks like the system that it is one of.
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

// head writes the title and leaves the rest of the canvas.
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

// write centers what has neither high nor deep letters, such as figures, which the
// library does not.
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

// atValues are ticks where the data is, with a label where there is room.
func atValues(xs []float64) (ticks plot.ConstantTicks) {
	slices.Sort(xs)
	const labels = 14.0
	apart := math.Log(xs[len(xs)-1]/xs[0]) / labels
	last := math.Inf(-1)
	for _, x := range xs {
		tick := plot.Tick{Value: x}
		if math.Log(x)-last >= apart {
			tick.Label, last = short(x), math.Log(x)
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// rounded are ticks at 1, 2, 5, 10, … that enclose what is drawn. Over many decades
// only these are named.
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
				tick.Label = short(v)
			}
			ticks = append(ticks, tick)
			if v >= high && len(ticks) > 1 {
				return ticks
			}
		}
	}
}

// linear are the default ticks, their numbers written as elsewhere.
type linear struct{}

func (linear) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		switch {
		case ticks[i].IsMinor():
		case ticks[i].Value == 0:
			ticks[i].Label = "0"
		default:
			ticks[i].Label = short(ticks[i].Value)
		}
	}
	return ticks
}

// short is a number on an axis: 500, 20 k, 1 M. Thousands have four digits still.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return trimmed(v/1e6) + " M"
	case v >= 1e4:
		return trimmed(v/1e3) + " k"
	case v >= 1 && v == math.Trunc(v):
		return whole(int(v)) // 1,024 writers are not 1,020
	default:
		return trimmed(v)
	}
}
