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
