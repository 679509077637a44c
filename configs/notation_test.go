package configs

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "250ms": 250 * time.Millisecond, "10s": 10 * time.Second, "1h30m": 90 * time.Minute,
		"1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "30d": 720 * time.Hour, "1.5h": 90 * time.Minute, "-5s": -5 * time.Second,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "5", "1dd", "1d2d", "-1d", "1d-2h", "1d24h", "0.5d", "99999999d", "65535d2000000h", "1 s", "1w", "infs"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func TestDurationsAreWrittenShort(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "1m": time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute, "1m15s": 75 * time.Second, "36h": 36 * time.Hour, "7d": 168 * time.Hour,
		"1h0m1s": time.Hour + time.Second, "1.5s": 1500 * time.Millisecond,
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%d is written %s, want %s", d, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0B": 0, "4096": 4096, "4096B": 4096, "1KiB": 1 << 10, "512MiB": 512 << 20, "4GiB": 4 << 30, "1TiB": 1 << 40,
		"1KB": 1000, "1kB": 1000, "10MB": 1e7, "1GB": 1e9, "2TB": 2e12, "1.5GiB": 3 << 29, "0.5KiB": 512, "512 MiB": 512 << 20,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "-1", "-1B", "0.1B", "1.0001KiB", "5XB", "5M", "NaN", "Inf", "1e30", "9999999999999TiB", "1 2"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestRatios(t *testing.T) {
	for text, want := range map[string]float64{"2%": 0.02, "0.02": 0.02, "100%": 1, "1": 1, "0": 0, "0.5%": 0.005, "34 %": 0.34, "150%": 1.5} {
		if got, err := parseRatio(text); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "2", "20", "NaN", "Inf%", "2%%", "two"} {
		if got, err := parseRatio(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// What is read can be written, and is read as the same.
func FuzzNotation(f *testing.F) {
	for _, s := range []string{"1h30m", "1d12h", "512MiB", "1.5GB", "2%", "0.34", "-1ns", "32767d23h59m", "7e-9%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil {
			same(t, parseDuration, formatDuration(d), d)
		}
		if n, err := parseSize(s); err == nil {
			same(t, parseSize, formatSize(n), n)
		}
		if r, err := parseRatio(s); err == nil {
			same(t, parseRatio, formatRatio(r), r)
		}
	})
}

func same[T comparable](t *testing.T, parse func(string) (T, error), text string, want T) {
	t.Helper()
	if got, err := parse(text); err != nil || got != want {
		t.Errorf("%v is written %q, which is read as %v, %v", want, text, got, err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"name", "metro", "address", "addresses", "password_file", "asn", "https", "http"}
	for got, want := range map[string]string{
		"nmae": "name", "adress": "address", "as": "asn", "htps": "https", "password": "password_file", "metros": "metro",
		"x": "", "colour": "", "completely_different_and_long": "", "": "",
	} {
		if best := nearest(got, known); best != want {
			t.Errorf("%q is nearest to %q, want %q", got, best, want)
		}
	}
}
