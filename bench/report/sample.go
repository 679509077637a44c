package report

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Sample is the same figure from several runs.
type Sample []float64

// Median is the one in the middle, or between the two that are; NaN of none.
func (s Sample) Median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Low is the lowest, High the highest; NaN of none.
func (s Sample) Low() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Min(s)
}

// High is the highest.
func (s Sample) High() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Max(s)
}

// Format writes a sample as its median with the lowest and the highest behind it, or – for none.
func (s Sample) Format(unit func(float64) string) string {
	switch {
	case len(s) == 0:
		return "–"
	case len(s) == 1:
		return unit(s[0])
	}
	return fmt.Sprintf("%s (%s–%s)", unit(s.Median()), unit(s.Low()), unit(s.High()))
}

// Count writes a number as people do: 812, 9.4k, 183k.
func Count(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v >= 99_500:
		return fmt.Sprintf("%.0fk", v/1000)
	case v >= 1000:
		return fmt.Sprintf("%.1fk", v/1000)
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// Nanoseconds writes a latency: 93 µs, 1.4 ms, 2.1 s.
func Nanoseconds(v float64) string {
	d := time.Duration(v)
	switch {
	case math.IsNaN(v):
		return "–"
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", v/1e6)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", v/1e6)
	}
	return fmt.Sprintf("%.0f µs", v/1e3)
}

// Octets writes a size: 512 KiB, 38 MiB, 1.2 GiB.
func Octets(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v >= 1<<30:
		return fmt.Sprintf("%.1f GiB", v/(1<<30))
	case v >= 1<<20:
		return fmt.Sprintf("%.0f MiB", v/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", v/(1<<10))
}

// Percent writes a share.
func Percent(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", v*100)
}
