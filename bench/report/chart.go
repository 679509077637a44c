package report

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// Chart is a plot of lines.
type Chart struct {
	Title string
	X, Y  Axis
	Lines []Line
	Marks []Mark
}

// Axis is one of a chart's axes.
type Axis struct {
	Label string
	// Ticks are the places that have a word. None: five even ones.
	Ticks []Tick
	// Log has equal distances for equal ratios; values of 0 and less are left out.
	Log  bool
	Unit func(float64) string
}

// Tick is a place on an axis.
type Tick struct {
	At   float64
	Word string
}

// Line is a line of a chart. A point that isn't a number interrupts it.
type Line struct {
	Name   string
	Points []Point
}

// Point is a point of a line.
type Point struct{ X, Y float64 }

// Mark is a place on the x axis where something happened.
type Mark struct {
	At   float64
	Word string
}

// The size of a chart and its margins, in pixels.
const (
	width, height            = 760, 400
	left, right, top, bottom = 80, 170, 44, 52
)

// colours are told apart by people who don't see all of them, too (Okabe and Ito).
func colour(i int) string {
	all := [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999900"}
	return all[i%len(all)]
}

// dash tells lines apart without colours.
func dash(i int) string {
	all := [...]string{"", "6 3", "2 3", "8 3 2 3"}
	return all[i%len(all)]
}

// Write writes the chart as SVG.
func (c *Chart) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="24" font-size="15">%s</text>`+"\n", left, html.EscapeString(c.Title))
	x := c.X.scale(c.values(func(p Point) float64 { return p.X }), left, width-right)
	y := c.Y.scale(c.values(func(p Point) float64 { return p.Y }), height-bottom, top)
	for _, t := range x.ticks {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x.at(t.At), top, height-bottom, x.at(t.At), height-bottom+18, html.EscapeString(t.Word))
	}
	for _, t := range y.ticks {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y.at(t.At), width-right, left-6, y.at(t.At)+4, html.EscapeString(t.Word))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-12, html.EscapeString(c.X.Label))
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+height-bottom)/2, html.EscapeString(c.Y.Label))
	for _, m := range c.Marks {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#888" stroke-dasharray="3 3"/><text x="%.1f" y="%d" fill="#555">%s</text>`+"\n",
			x.at(m.At), top, height-bottom, x.at(m.At)+4, top+12, html.EscapeString(m.Word))
	}
	for i, l := range c.Lines {
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.8" stroke-dasharray="%s"/>`+"\n", path(l.Points, x, y), colour(i), dash(i))
		at := top + 8 + 18*i
		fmt.Fprintf(&b, `<path d="M%d %dh24" stroke="%s" stroke-width="1.8" stroke-dasharray="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			width-right+10, at, colour(i), dash(i), width-right+40, at+4, html.EscapeString(l.Name))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Chart) values(of func(Point) float64) []float64 {
	var all []float64
	for _, l := range c.Lines {
		for _, p := range l.Points {
			all = append(all, of(p))
		}
	}
	return all
}

// path is the line's path. Points that fall on the same pixel as the last are left out.
func path(points []Point, x, y *scale) string {
	var b strings.Builder
	last, begin := "", true
	for _, p := range points {
		px, py := x.at(p.X), y.at(p.Y)
		if math.IsNaN(px) || math.IsNaN(py) || math.IsInf(px, 0) || math.IsInf(py, 0) {
			begin = true
			continue
		}
		at := fmt.Sprintf("%.1f %.1f", px, py)
		switch {
		case begin:
			b.WriteString("M" + at)
		case at != last:
			b.WriteString("L" + at)
		}
		last, begin = at, false
	}
	return b.String()
}

// scale is an axis with its place in the picture.
type scale struct {
	low, high float64 // values, or their logarithms
	from, to  float64 // pixels
	log       bool
	ticks     []Tick
}

func (a *Axis) scale(values []float64, from, to float64) *scale {
	s := &scale{low: math.Inf(1), high: math.Inf(-1), from: from, to: to, log: a.Log, ticks: a.Ticks}
	for _, v := range values {
		s.include(v)
	}
	for _, t := range a.Ticks {
		s.include(t.At)
	}
	if !a.Log {
		s.include(0)
	}
	if s.low > s.high { // there is nothing
		s.low, s.high = 0, 1
	}
	if s.low == s.high {
		s.high = s.low + 1
	}
	switch {
	case len(a.Ticks) > 0:
	case a.Log:
		s.decades(a.unit)
	default:
		s.even(a.unit)
	}
	return s
}

func (a *Axis) unit(v float64) string {
	if a.Unit == nil {
		return Count(v)
	}
	return a.Unit(v)
}

func (s *scale) include(v float64) {
	if s.log {
		v = math.Log10(v)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	s.low, s.high = min(s.low, v), max(s.high, v)
}

// at is where a value is.
func (s *scale) at(v float64) float64 {
	if s.log {
		v = math.Log10(v)
	}
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}

// even divides the axis at round numbers.
func (s *scale) even(unit func(float64) string) {
	step := math.Pow(10, math.Floor(math.Log10(s.high/4)))
	for _, more := range []float64{1, 2, 5, 10} {
		if s.high/(step*more) <= 6 {
			step *= more
			break
		}
	}
	for i := 0.0; i*step <= s.high*1.0001; i++ {
		s.ticks = append(s.ticks, Tick{i * step, unit(i * step)})
	}
}

// decades divides the axis at 1, 2 and 5 of each power of ten, or at the powers where there are many.
func (s *scale) decades(unit func(float64) string) {
	s.low, s.high = math.Floor(s.low*3)/3, math.Ceil(s.high*3)/3
	factors := []float64{1, 2, 5}
	if s.high-s.low > 3 {
		factors = factors[:1]
	}
	for d := math.Floor(s.low); d <= s.high; d++ {
		for _, f := range factors {
			v := f * math.Pow(10, d)
			if at := math.Log10(v); at >= s.low && at <= s.high {
				s.ticks = append(s.ticks, Tick{v, unit(v)})
			}
		}
	}
}
