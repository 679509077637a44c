package httpfield_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func TestParseRange(t *testing.T) {
	const ignored, good, bad = httpfield.RangeIgnored, httpfield.RangeSatisfiable, httpfield.RangeUnsatisfiable
	for _, tt := range []struct {
		value  string
		size   int64
		result httpfield.RangeResult
		want   []httpfield.Range
	}{
		{"bytes=0-0", 10, good, []httpfield.Range{{Start: 0, Length: 1}}},
		{"Bytes=2-", 10, good, []httpfield.Range{{Start: 2, Length: 8}}},
		{"bytes=-3", 10, good, []httpfield.Range{{Start: 7, Length: 3}}},
		{"bytes=-30", 10, good, []httpfield.Range{{Start: 0, Length: 10}}},
		{"bytes=0-99999999999999999999999", 10, good, []httpfield.Range{{Start: 0, Length: 10}}},
		{"bytes= 0-1 ,, 4-5 ", 10, good, []httpfield.Range{{Start: 0, Length: 2}, {Start: 4, Length: 2}}},
		{"bytes=4-5,0-1", 10, good, []httpfield.Range{{Start: 4, Length: 2}, {Start: 0, Length: 2}}},
		{"bytes=0-1,20-30", 10, good, []httpfield.Range{{Start: 0, Length: 2}}},
		{"bytes=10-", 10, bad, nil},
		{"bytes=-0", 10, bad, nil},
		{"bytes=0-", 0, bad, nil},
		{"bytes=-1", 0, bad, nil},
		{"bytes=99999999999999999999-", 10, bad, nil},
		{"", 10, ignored, nil},
		{"bytes", 10, ignored, nil},
		{"bytes=", 10, ignored, nil},
		{"bytes=,", 10, ignored, nil},
		{"bytes=-", 10, ignored, nil},
		{"bytes=5", 10, ignored, nil},
		{"bytes=5-4", 10, ignored, nil},
		{"bytes=a-b", 10, ignored, nil},
		{"bytes=+1-2", 10, ignored, nil},
		{"bytes=1-2-3", 10, ignored, nil},
		{"bytes=1 - 2", 10, ignored, nil},
		{"bytes=0-1,x", 10, ignored, nil},
		{"items=0-1", 10, ignored, nil},
		{"bytes=0-9,0-9", 10, ignored, nil},
		{"bytes=" + strings.Repeat("0-0,", 17), 100, ignored, nil},
	} {
		got, result := httpfield.ParseRange(nil, tt.value, tt.size)
		if result != tt.result || !slices.Equal(got, tt.want) {
			t.Errorf("%q of %d: got %v, %v", tt.value, tt.size, got, result)
		}
	}
}

func TestFirstPosition(t *testing.T) {
	for value, want := range map[string]int64{
		"bytes=0-0": 0, "bytes=5-9": 5, "bytes=7-": 7, "bytes=-3": 0, "BYTES=9-9, 4-5 ,20-": 4, "bytes=9-9,-1": 0,
		"bytes=99999999999999999999-": 1 << 58,
	} {
		if got, ok := httpfield.FirstPosition(value); !ok || got != want {
			t.Errorf("%q: got %d, %v", value, got, ok)
		}
	}
	for _, value := range []string{"", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=5-4", "bytes=a-", "lines=1-2", "bytes=1-2,x"} {
		if got, ok := httpfield.FirstPosition(value); ok {
			t.Errorf("%q: got %d", value, got)
		}
	}
}

func TestParseContentRange(t *testing.T) {
	for value, want := range map[string]httpfield.ContentRange{
		"bytes 0-4/10": {Range: httpfield.Range{Start: 0, Length: 5}, Size: 10},
		"BYTES 5-5/*":  {Range: httpfield.Range{Start: 5, Length: 1}, Size: -1},
		"bytes */10":   {Size: 10},
	} {
		if got, ok := httpfield.ParseContentRange(value); !ok || got != want {
			t.Errorf("%q: got %+v, %v", value, got, ok)
		}
	}
	for _, value := range []string{"", "bytes", "bytes 0-4", "bytes 4-0/10", "bytes 0-10/10", "bytes */*", "bytes=0-4/10", "bytes a-b/10", "bytes 0-/10", "bytes -4/10", "lines 0-4/10", "bytes 0-4/x"} {
		if got, ok := httpfield.ParseContentRange(value); ok {
			t.Errorf("%q: parsed as %+v", value, got)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	f.Add("bytes=0-1,-5,7-", int64(10))
	f.Add("bytes=99999999999999999999-", int64(0))
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 {
			return
		}
		got, result := httpfield.ParseRange(nil, value, size)
		if (result == httpfield.RangeSatisfiable) != (len(got) > 0) {
			t.Errorf("%q: %v, %v", value, got, result)
		}
		first, ok := httpfield.FirstPosition(value)
		if result != httpfield.RangeIgnored && !ok {
			t.Errorf("%q has no first position", value)
		}
		for _, r := range got {
			if r.Start < 0 || r.Length <= 0 || r.Start > size-r.Length || r.Start < first {
				t.Errorf("%q of %d: %v", value, size, r)
			}
		}
	})
}

func FuzzParseContentRange(f *testing.F) {
	f.Add("bytes 0-4/10")
	f.Add("bytes */9223372036854775807")
	f.Fuzz(func(t *testing.T, value string) {
		if c, ok := httpfield.ParseContentRange(value); ok && (c.Start < 0 || c.Length < 0 || c.Size >= 0 && c.Start+c.Length > c.Size) {
			t.Errorf("%q: %+v", value, c)
		}
	})
}
