package httpfield_test

import (
	"strings"
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func TestParseETag(t *testing.T) {
	for s, want := range map[string]httpfield.ETag{
		`"a"`: {Opaque: `"a"`}, `W/"a"`: {Weak: true, Opaque: `"a"`}, `""`: {Opaque: `""`}, `"a,b\"`: {Opaque: `"a,b\"`},
		"\"\xe4\"": {Opaque: "\"\xe4\""},
	} {
		if got, ok := httpfield.ParseETag(s); !ok || got != want || got.String() != s {
			t.Errorf("%q: got %+v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "a", `"a`, `a"`, `w/"a"`, `W/a`, `"a""`, `"a" `, `"a b"`, `"a", "b"`, "*", "\"\x7f\"", "W/"} {
		if got, ok := httpfield.ParseETag(s); ok {
			t.Errorf("%q: parsed as %+v", s, got)
		}
	}
}

// TestCompareETags is the table of RFC 9110 §8.8.3.2.
func TestCompareETags(t *testing.T) {
	for _, tt := range []struct {
		a, b         string
		strong, weak bool
	}{
		{`W/"1"`, `W/"1"`, false, true},
		{`W/"1"`, `W/"2"`, false, false},
		{`W/"1"`, `"1"`, false, true},
		{`"1"`, `"1"`, true, true},
	} {
		a, _ := httpfield.ParseETag(tt.a)
		b, _ := httpfield.ParseETag(tt.b)
		if a.StrongEqual(b) != tt.strong || a.WeakEqual(b) != tt.weak {
			t.Errorf("%s and %s: strong %v, weak %v", tt.a, tt.b, a.StrongEqual(b), a.WeakEqual(b))
		}
	}
	var none httpfield.ETag
	if none.WeakEqual(none) || none.StrongEqual(none) {
		t.Error("no tag equals no tag")
	}
}

func TestListMatches(t *testing.T) {
	e := httpfield.ETag{Opaque: `"a,b"`}
	for line, want := range map[string]bool{
		`"a,b"`: true, `W/"a,b"`: true, `"x", "a,b"`: true, `"x" ,,W/"a,b" , "y"`: true, " * ": true, `, "a,b"`: true,
		`"a", "b"`: false, `"a,b" x`: false, `"x" "a,b"`: false, `a,b`: false, `*, "a"`: false, "": false, `"a,b`: false,
	} {
		if got := httpfield.ListMatches(line, e); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	if !httpfield.ListMatches("*", httpfield.ETag{}) || httpfield.ListMatches(`""`, httpfield.ETag{}) {
		t.Error("a response without a tag matches * and nothing else")
	}
}

func FuzzListMatches(f *testing.F) {
	for _, seed := range []string{`"a", W/"b"`, "*", `,,"`, "W/", `"a" "b"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if httpfield.ListMatches(line, httpfield.ETag{Opaque: `"a"`}) && !strings.ContainsAny(line, `a*`) {
			t.Errorf("%q matches", line)
		}
		if e, ok := httpfield.ParseETag(line); ok && !httpfield.ListMatches(line, e) {
			t.Errorf("%q doesn't match itself", line)
		}
	})
}
