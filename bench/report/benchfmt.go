package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
)

// Benchmark is a line in the format of Go's benchmarks, which benchstat reads.
type Benchmark struct {
	Name   string // Hit
	Labels [][2]string
	Count  int
	Values []Value
}

// Value is a figure with its unit.
type Value struct {
	Number float64
	Unit   string
}

// units say what is better, for benchstat.
const units = "Unit req/cpu-s better=higher\nUnit req/s better=higher\nUnit p50-ns better=lower\nUnit p99-ns better=lower\nUnit peak-B better=lower\n\n"

// WriteBenchmarks writes them. Figures that aren't numbers are left out.
func WriteBenchmarks(w io.Writer, list []Benchmark) error {
	var b strings.Builder
	b.WriteString(units)
	for _, one := range list {
		fmt.Fprintf(&b, "Benchmark%s", camel(one.Name))
		for _, l := range one.Labels {
			fmt.Fprintf(&b, "/%s=%s", l[0], l[1])
		}
		fmt.Fprintf(&b, " %d", one.Count)
		for _, v := range one.Values {
			if !math.IsNaN(v.Number) {
				fmt.Fprintf(&b, " %.6g %s", v.Number, v.Unit)
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// camel makes one word of a name: hit-100k is Hit100k.
func camel(name string) string {
	var b strings.Builder
	up := true
	for _, c := range name {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			up = true
			continue
		case up:
			c = unicode.ToUpper(c)
		}
		b.WriteRune(c)
		up = false
	}
	return b.String()
}
