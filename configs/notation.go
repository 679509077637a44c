package configs

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache/governor"
)

// The operator's notation of durations, sizes and ratios. Each parse function has a format function that is its inverse.

var errNotation = errors.New("not in this notation")

func parseFloat(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%w: %q", errNotation, s)
	}
	return f, nil
}

const day = 24 * time.Hour

// parseDuration reads Go's notation with days: 250ms, 1h30m, 1d, 1d12h.
func parseDuration(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 15) // with the rest still below what a Duration holds
	if err != nil {
		return 0, fmt.Errorf("%w: %q", errNotation, s)
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more >= day {
		return 0, fmt.Errorf("%w: %q", errNotation, s)
	}
	return d + more, nil
}

// formatDuration writes d without units that are zero.
func formatDuration(d time.Duration) string {
	if d >= day && d%day == 0 && d/day < 1<<15 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	return s
}

// unit is a suffix of sizes.
type unit struct {
	name string
	size int64 // in octets
}

var (
	binaryUnits  = []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
	decimalUnits = []unit{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}}
)

// parseSize reads octets: 512MiB, 1.5GB, 4096, 4096B.
func parseSize(s string) (int64, error) {
	number, size := cutUnit(s)
	n, err := strconv.ParseInt(number, 10, 64)
	if err == nil && n >= 0 && n <= math.MaxInt64/size {
		return n * size, nil
	}
	f, err := parseFloat(number)
	if f *= float64(size); err != nil || f < 0 || f >= math.MaxInt64 || f != math.Trunc(f) {
		return 0, fmt.Errorf("%w: %q", errNotation, s)
	}
	return int64(f), nil
}

// cutUnit is s without its unit, and the unit's size.
func cutUnit(s string) (string, int64) {
	for _, units := range [][]unit{binaryUnits, decimalUnits, {{"B", 1}}} {
		for _, u := range units {
			if number, ok := strings.CutSuffix(s, u.name); ok {
				return strings.TrimSpace(number), u.size
			}
		}
	}
	return s, 1
}

// formatSize writes n in the largest binary unit that divides it.
func formatSize(n int64) string {
	for _, u := range binaryUnits {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// parseAmount reads a size, or a percentage of the memory there is.
func parseAmount(s string) (governor.Amount, error) {
	if strings.HasSuffix(s, "%") {
		share, err := parseRatio(s)
		return governor.Amount{Share: share}, err
	}
	bytes, err := parseSize(s)
	return governor.Amount{Bytes: bytes}, err
}

func formatAmount(a governor.Amount) string {
	if a.Share > 0 {
		return formatRatio(a.Share)
	}
	return formatSize(a.Bytes)
}

// parseRatio reads 2% or 0.02. Without the sign nothing above 1 is taken: 2 is hardly 200%.
func parseRatio(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	f, err := parseFloat(strings.TrimSpace(number))
	switch {
	case err != nil:
		return 0, err
	case percent:
		return f / 100, nil
	case f > 1:
		return 0, fmt.Errorf("%w: %q", errNotation, s)
	}
	return f, nil
}

// formatRatio writes f as a percentage where that is exact.
func formatRatio(f float64) string {
	const digits = 10
	s := strconv.FormatFloat(f*100, 'g', digits, 64) + "%"
	if back, err := parseRatio(s); err == nil && back == f {
		return s
	}
	if f > 1 {
		return strconv.FormatFloat(f*100, 'g', -1, 64) + "%"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
