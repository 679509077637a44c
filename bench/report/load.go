package report

import (
	"math"

	"github.com/anyedge/anyedge/bench/load"
)

// Run is one result of a load with a name, for a chart.
type Run struct {
	Name   string
	Result *load.Result
}

// Latency is a chart of latency by percentile: the nearer to 100 %, the wider.
func Latency(title string, runs []Run) *Chart {
	c := &Chart{
		Title: title,
		X:     Axis{Label: "percentile of answers", Ticks: []Tick{{0, "0"}, {1, "90 %"}, {2, "99 %"}, {3, "99.9 %"}, {4, "99.99 %"}}},
		Y:     Axis{Label: "latency", Log: true, Unit: Nanoseconds},
	}
	for _, r := range runs {
		l := Line{Name: r.Name}
		most := math.Min(4, math.Log10(float64(max(r.Result.Latency.TotalCount(), 1))))
		for x := 0.0; x <= most; x += 0.05 {
			share := 1 - math.Pow(10, -x)
			l.Points = append(l.Points, Point{x, float64(r.Result.Latency.ValueAtQuantile(share * 100))})
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}

// Throughput is a chart of answers a second over time.
func Throughput(title string, runs []Run, marks []Mark) *Chart {
	return overTime(title, "answers a second", Count, runs, marks, func(p load.Point) float64 {
		return float64(p.Answers) / load.Step.Seconds()
	})
}

// Failures is a chart of failures a second over time.
func Failures(title string, runs []Run, marks []Mark) *Chart {
	return overTime(title, "failures a second", Count, runs, marks, func(p load.Point) float64 {
		return float64(p.Failures) / load.Step.Seconds()
	})
}

// Hits is a chart of the share of answers for which the origin wasn't asked, by their Cache-Status, over time.
func Hits(title string, runs []Run, marks []Mark) *Chart {
	return overTime(title, "hits", Percent, runs, marks, func(p load.Point) float64 {
		return float64(p.Hits) / float64(p.Hits+p.Forwarded)
	})
}

func overTime(title, label string, unit func(float64) string, runs []Run, marks []Mark, of func(load.Point) float64) *Chart {
	c := &Chart{
		Title: title, Marks: marks,
		X: Axis{Label: "seconds", Unit: Count}, Y: Axis{Label: label, Unit: unit},
	}
	for _, r := range runs {
		l := Line{Name: r.Name}
		for i, p := range r.Result.Series {
			l.Points = append(l.Points, Point{float64(i) * load.Step.Seconds(), of(p)})
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}
