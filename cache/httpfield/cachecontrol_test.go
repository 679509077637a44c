package httpfield_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func TestCacheControl(t *testing.T) {
	type control = httpfield.CacheControl
	for _, tt := range []struct {
		name  string
		lines []string
		want  control
	}{
		{"nothing", nil, control{}},
		{"empty elements", []string{" , ,\t, "}, control{}},
		{"any case", []string{"Max-Age=60, NO-STORE"}, control{Has: httpfield.MaxAge | httpfield.NoStore, MaxAge: 60}},
		{"several lines", []string{"max-age=60", "public"}, control{Has: httpfield.MaxAge | httpfield.Public, MaxAge: 60}},
		{"quoted seconds", []string{`max-age="60"`}, control{Has: httpfield.MaxAge, MaxAge: 60}},
		{"the first of several", []string{"max-age=60, max-age=10", "max-age=30"}, control{Has: httpfield.MaxAge, MaxAge: 60}},
		{"the first of several is malformed", []string{"max-age=x, max-age=60"}, control{Has: httpfield.MaxAge}},
		{"a later one is malformed", []string{"max-age=60, max-age=x"}, control{Has: httpfield.MaxAge, MaxAge: 60}},
		{"no argument", []string{"max-age"}, control{Has: httpfield.MaxAge}},
		{"empty argument", []string{"s-maxage="}, control{Has: httpfield.SMaxAge}},
		{"negative", []string{"max-age=-1"}, control{Has: httpfield.MaxAge}},
		{"a fraction", []string{"max-age=1.5"}, control{Has: httpfield.MaxAge}},
		{"space around the equals sign", []string{"max-age = 60"}, control{Has: httpfield.MaxAge}},
		{"space before the equals sign", []string{"max-age =60, no-store\t=x"}, control{Has: httpfield.MaxAge | httpfield.NoStore}},
		{"space before the equals sign of a list", []string{`private ="A"`}, control{Has: httpfield.Private}},
		{"space after the equals sign", []string{"max-age= 60"}, control{Has: httpfield.MaxAge}},
		{"apostrophes", []string{"max-age='60'"}, control{Has: httpfield.MaxAge}},
		{"leading zeros", []string{"max-age=0060"}, control{Has: httpfield.MaxAge, MaxAge: 60}},
		{"a unit", []string{"max-age=60s"}, control{Has: httpfield.MaxAge}},
		{"hexadecimal", []string{"max-age=0x3c"}, control{Has: httpfield.MaxAge}},
		{"a semicolon doesn't separate", []string{"max-age=60; no-store"}, control{Has: httpfield.MaxAge}},
		{"directives with arguments that they don't take", []string{"no-store=1, public=x, must-revalidate=?0"}, control{
			Has: httpfield.NoStore | httpfield.Public | httpfield.MustRevalidate,
		}},
		{"unfinished quotes", []string{`max-age="60`}, control{Has: httpfield.MaxAge}},
		{"clamped", []string{"max-age=2147483649"}, control{Has: httpfield.MaxAge, MaxAge: 1 << 31}},
		{"clamped far", []string{"max-age=184467440737095516160"}, control{Has: httpfield.MaxAge, MaxAge: 1 << 31}},
		{"inside quotes nothing counts", []string{`x="no-store, max-age=1", y="\", private"`}, control{}},
		{"quotes that never close hide nothing", []string{`x="a, no-store`}, control{Has: httpfield.NoStore}},
		{"unknown", []string{"max-agee=1, no_store"}, control{}},
		{"private alone", []string{"private"}, control{Has: httpfield.Private}},
		{"private with fields", []string{`private="A, b"`}, control{PrivateFields: []string{"A", "b"}}},
		{"private with a bare field", []string{"private=A"}, control{PrivateFields: []string{"A"}}},
		{"private with rubbish", []string{`private="A b"`}, control{Has: httpfield.Private}},
		{"private with nothing", []string{`private=""`}, control{Has: httpfield.Private}},
		{"no-cache both ways", []string{`no-cache="A", no-cache`}, control{Has: httpfield.NoCache, NoCacheFields: []string{"A"}}},
		{"max-stale alone", []string{"max-stale"}, control{Has: httpfield.MaxStale, MaxStale: httpfield.MaxDelta}},
		{"max-stale with seconds", []string{"max-stale=5"}, control{Has: httpfield.MaxStale, MaxStale: 5}},
		{"max-stale malformed", []string{"max-stale=x"}, control{Has: httpfield.MaxStale}},
		{"RFC 5861", []string{"stale-while-revalidate=1, stale-if-error=2"}, control{
			Has: httpfield.StaleWhileRevalidate | httpfield.StaleIfError, StaleWhileRevalidate: 1, StaleIfError: 2,
		}},
		{"the others", []string{"no-transform,only-if-cached,must-revalidate,proxy-revalidate,must-understand,immutable,min-fresh=3"}, control{
			Has: httpfield.NoTransform | httpfield.OnlyIfCached | httpfield.MustRevalidate | httpfield.ProxyRevalidate |
				httpfield.MustUnderstand | httpfield.Immutable | httpfield.MinFresh, MinFresh: 3,
		}},
	} {
		var got control
		for _, line := range tt.lines {
			got.Add(line)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q: got %+v, want %+v", tt.name, tt.lines, got, tt.want)
		}
	}
}

func TestTargeted(t *testing.T) {
	for _, tt := range []struct {
		value string
		ok    bool
		has   httpfield.Directive
		age   int64
	}{
		{"max-age=60", true, httpfield.MaxAge, 60},
		{"max-age=60;p=1, no-store", true, httpfield.MaxAge | httpfield.NoStore, 60},
		{"max-age=60, max-age=70", true, httpfield.MaxAge, 70},
		{"max-age=9999999999", true, httpfield.MaxAge, 1 << 31},
		{`max-age="60"`, true, httpfield.MaxAge, 0},
		{"max-age=60.5", true, httpfield.MaxAge, 0},
		{"max-age=-60", true, httpfield.MaxAge, 0},
		{"max-age", true, httpfield.MaxAge, 0},
		{"no-store=?0, public", true, httpfield.Public, 0},
		{"x=(a b);c, public", true, httpfield.Public, 0},
		{"", false, 0, 0},
		{"Max-Age=60", false, 0, 0},
		{"max-age=60,", false, 0, 0},
		{"max-age=60 public", false, 0, 0},
	} {
		got, ok := httpfield.ParseTargeted(tt.value)
		if ok != tt.ok || got.Has != tt.has || got.MaxAge != tt.age {
			t.Errorf("%q: got %+v, %v", tt.value, got, ok)
		}
	}
	got, _ := httpfield.ParseTargeted(`private="a,b", no-cache=c`)
	if !slices.Equal(got.PrivateFields, []string{"a", "b"}) || !slices.Equal(got.NoCacheFields, []string{"c"}) {
		t.Errorf("got %+v", got)
	}
}

func TestPragma(t *testing.T) {
	for line, want := range map[string]bool{"no-cache": true, "x, No-Cache": true, "no-cache=1": false, `"no-cache"`: false, "": false} {
		if got := httpfield.PragmaNoCache(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func FuzzCacheControl(f *testing.F) {
	for _, seed := range []string{"max-age=60, private=\"a, b\"", `x="\`, "max-stale", ",,=", "no-cache=\"", "s-maxage=99999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var c httpfield.CacheControl
		c.Add(line)
		for _, n := range []int64{c.MaxAge, c.SMaxAge, c.MinFresh, c.MaxStale, c.StaleWhileRevalidate, c.StaleIfError} {
			if n < 0 || n > httpfield.MaxDelta {
				t.Errorf("%q: %d seconds", line, n)
			}
		}
		for _, name := range append(c.PrivateFields, c.NoCacheFields...) {
			if !httpfield.IsToken(name) {
				t.Errorf("%q: field name %q", line, name)
			}
		}
	})
}
