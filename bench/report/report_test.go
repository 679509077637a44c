package report_test

import (
	"math"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/bench/report"
)

func TestSample(t *testing.T) {
	for want, s := range map[string]report.Sample{
		"–": nil, "1.5k": {1500}, "2.0k (1.0k–9.0k)": {9000, 1000, 2000}, "1.5k (1.0k–2.0k)": {2000, 1000},
	} {
		if got := s.Format(report.Count); got != want {
			t.Errorf("%v: %s, want %s", s, got, want)
		}
	}
	if !math.IsNaN(report.Sample(nil).Median()) {
		t.Error("nothing has a median")
	}
}

func TestUnits(t *testing.T) {
	for want, got := range map[string]string{
		"0.25": report.Count(0.25), "73": report.Count(73), "9.4k": report.Count(9400), "183k": report.Count(183_400),
		"93 µs": report.Nanoseconds(93_000), "1.4 ms": report.Nanoseconds(1.4e6), "42 ms": report.Nanoseconds(42e6),
		"2.1 s": report.Nanoseconds(2.1e9), "61 s": report.Nanoseconds(61e9),
		"512 KiB": report.Octets(512 << 10), "38 MiB": report.Octets(38 << 20), "1.5 GiB": report.Octets(1.5 * (1 << 30)),
		"99.5 %": report.Percent(0.995), "–": report.Percent(math.NaN()),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	table := report.Table{Head: []string{"row", "µs"}}
	table.Add("a long name", "1")
	table.Add("b")
	var b strings.Builder
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	const want = "| row         | µs |\n| ----------- | -- |\n| a long name | 1  |\n| b           |    |\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

func TestChart(t *testing.T) {
	c := report.Chart{
		Title: "<title> & more", X: report.Axis{Label: "seconds"}, Y: report.Axis{Label: "latency", Log: true, Unit: report.Nanoseconds},
		Marks: []report.Mark{{At: 2, Word: "origin down"}},
		Lines: []report.Line{
			{Name: "a", Points: []report.Point{{X: 0, Y: 1e5}, {X: 1, Y: math.NaN()}, {X: 2, Y: 1e6}, {X: 2, Y: 1e6}, {X: 4, Y: 1e5}}},
			{Name: "b", Points: []report.Point{{X: 1, Y: 0}, {X: 3, Y: 5e5}}},
		},
	}
	var b strings.Builder
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	svg := b.String()
	for _, want := range []string{
		"&lt;title&gt; &amp; more", ">100 µs<", ">1.0 ms<", ">origin down<", ">b<",
		`d="M80.0 348.0M335.0 44.0L590.0 348.0"`, // interrupted, and no point twice
		`d="M462.5 `,                             // what has no logarithm is left out
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s\nwants %s", svg, want)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Error(svg)
	}
}

func TestChartOfNothing(t *testing.T) {
	for _, c := range []*report.Chart{{}, {Y: report.Axis{Log: true}, Lines: []report.Line{{Points: []report.Point{{X: 0, Y: 0}}}}}} {
		var b strings.Builder
		if err := c.Write(&b); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
			t.Errorf("%v\n%s", err, b.String())
		}
	}
}

func TestBenchmarks(t *testing.T) {
	var b strings.Builder
	err := report.WriteBenchmarks(&b, []report.Benchmark{{
		Name: "hit-100k", Labels: [][2]string{{"server", "nginx"}, {"proto", "h2"}}, Count: 42,
		Values: []report.Value{{Number: 1234.5, Unit: "req/s"}, {Number: math.NaN(), Unit: "peak-B"}, {Number: 9e6, Unit: "p99-ns"}},
	}})
	if err != nil || !strings.HasSuffix(b.String(), "\n\nBenchmarkHit100k/server=nginx/proto=h2 42 1234.5 req/s 9e+06 p99-ns\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if !strings.HasPrefix(b.String(), "Unit req/cpu-s better=higher\n") {
		t.Errorf("%s", b.String())
	}
}
