package configs

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	addrType     = reflect.TypeFor[netip.Addr]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
)

// isScalarType says whether t is written as one word.
func isScalarType(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return t == addrType || t == prefixType
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		return false
	default:
		return true
	}
}

// scalar decodes one word into v.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path, unit string) {
	if n.Kind != yaml.ScalarNode {
		d.wrong(n, path, "must be "+wanted(v.Type(), unit)+", not "+kindOf(n))
		return
	}
	if !setScalar(v, n.Value, unit) {
		problem := fmt.Sprintf("%q is not %s", shorten(n.Value), wanted(v.Type(), unit))
		d.wrong(n, path, problem+hint(v.Type(), n.Value))
	}
}

// wanted is what the operator should write.
func wanted(t reflect.Type, unit string) string {
	switch {
	case t == durationType:
		return "a duration such as 250ms, 10s or 1d"
	case t == addrType:
		return "an IP address such as 192.0.2.1 or 2001:db8::1"
	case t == prefixType:
		return "a prefix such as 198.51.100.0/24 or 2001:db8:100::/48"
	case unit == "size":
		return "a size such as 512MiB"
	case unit == "ratio":
		return "a percentage such as 2%"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float64:
		return "a number"
	default:
		low, high := bounds(t)
		return fmt.Sprintf("a whole number from %s to %s", low, high)
	}
}

func bounds(t reflect.Type) (string, string) {
	bits := t.Bits()
	if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
		return "0", strconv.FormatUint(math.MaxUint64>>(64-bits), 10)
	}
	most := int64(math.MaxInt64) >> (64 - bits)
	return strconv.FormatInt(-most-1, 10), strconv.FormatInt(most, 10)
}

// hint helps with what people write by habit.
func hint(t reflect.Type, s string) string {
	switch {
	case t == prefixType:
		if a, err := netip.ParseAddr(s); err == nil {
			return fmt.Sprintf("; did you mean %s?", netip.PrefixFrom(a, a.BitLen()))
		}
	case t == addrType:
		if _, err := netip.ParsePrefix(s); err == nil {
			return "; leave the /LENGTH out"
		}
	case t == durationType:
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			return "; add a unit, such as " + s + "s"
		}
	case t.Kind() == reflect.Bool:
		return didYouMean(strings.NewReplacer("yes", "true", "on", "true", "no", "false", "off", "false").Replace(strings.ToLower(s)), []string{"true", "false"})
	}
	return ""
}

func setScalar(v reflect.Value, s, unit string) (ok bool) {
	switch {
	case v.Type() == durationType:
		return assign(v, s, parseDuration)
	case v.Type() == addrType:
		return assign(v, s, netip.ParseAddr)
	case v.Type() == prefixType:
		return assign(v, s, netip.ParsePrefix)
	case unit == "size":
		return assign(v, s, parseSize)
	case unit == "ratio":
		return assign(v, s, parseRatio)
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(s == "true")
		return s == "true" || s == "false"
	case reflect.String:
		v.SetString(s)
		return true
	case reflect.Float64:
		return assign(v, s, parseFloat)
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(s, 10, v.Type().Bits())
		v.SetInt(i)
		return err == nil
	default:
		u, err := strconv.ParseUint(s, 10, v.Type().Bits())
		v.SetUint(u)
		return err == nil
	}
}

func assign[T any](v reflect.Value, s string, parse func(string) (T, error)) bool {
	x, err := parse(s)
	if err != nil {
		return false
	}
	v.Set(reflect.ValueOf(x).Convert(v.Type()))
	return true
}

func parseFloat(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%q is not a number", s)
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
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	return d + more, nil
}

// formatDuration is the inverse of parseDuration, without units that are zero.
func formatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// units of sizes, larger before smaller and longer names before their suffixes.
var units = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

// parseSize reads bytes: 512MiB, 1.5GB, 4096.
func parseSize(s string) (int64, error) {
	number, size := s, int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			number, size = strings.TrimSpace(n), u.size
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n > math.MaxInt64/size || n < 0 {
			return 0, fmt.Errorf("%q is out of range", s)
		}
		return n * size, nil
	}
	f, err := parseFloat(number)
	if err != nil || f < 0 || f*float64(size) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	return int64(f * float64(size)), nil
}

// formatSize is the inverse of parseSize, in the largest binary unit that divides n.
func formatSize(n int64) string {
	for _, u := range units[:4] {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// parseRatio reads 2% or 0.02.
func parseRatio(s string) (float64, error) {
	percent, ok := strings.CutSuffix(s, "%")
	f, err := parseFloat(strings.TrimSpace(percent))
	if err != nil || !ok {
		return f, err
	}
	return f / 100, nil
}

// formatRatio is the inverse of parseRatio, as a percentage where that is exact.
func formatRatio(f float64) string {
	s := strconv.FormatFloat(f*100, 'g', 10, 64) + "%"
	if back, err := parseRatio(s); err == nil && back == f {
		return s
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
