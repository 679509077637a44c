package httpfield_test

import (
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func TestSurrogate(t *testing.T) {
	const stale = httpfield.StaleWhileRevalidate | httpfield.StaleIfError
	for _, tt := range []struct {
		value    string
		has      httpfield.Directive
		age, swr int64
	}{
		{"max-age=60", httpfield.MaxAge, 60, 0},
		{`content="ESI/1.0", MAX-AGE=60`, httpfield.MaxAge, 60, 0},
		{`max-age="60"`, httpfield.MaxAge, 60, 0},
		{"max-age=3600+600", httpfield.MaxAge | stale, 3600, 600},
		{`max-age="3600+600"`, httpfield.MaxAge | stale, 3600, 600},
		{"max-age=3600+", httpfield.MaxAge | stale, 3600, 0},
		{"max-age=3600+1+1", httpfield.MaxAge | stale, 3600, 0},
		{"max-age=+600", httpfield.MaxAge | stale, 0, 600},
		{"max-age=x", httpfield.MaxAge, 0, 0},
		{"max-age", httpfield.MaxAge, 0, 0},
		{"max-age =60", 0, 0, 0},
		{"max-age=60, max-age=70+1", httpfield.MaxAge, 60, 0},
		{"max-age=99999999999+99999999999", httpfield.MaxAge | stale, httpfield.MaxDelta, httpfield.MaxDelta},
		{"max-age=60;other, no-store;another", 0, 0, 0},
		{"max-age=60;other, max-age=70", httpfield.MaxAge, 70, 0},
		{"No-Store", httpfield.NoStore, 0, 0},
		{"no-store-remote, max-age=60", httpfield.NoStore | httpfield.MaxAge, 60, 0},
		{`content="ESI/1.0"`, 0, 0, 0},
		{`content="no-store, max-age=1"`, 0, 0, 0},
		{"private", 0, 0, 0},
		{"", 0, 0, 0},
	} {
		got, ok := httpfield.ParseSurrogate(tt.value)
		if ok != (tt.has != 0) || got.Has != tt.has || got.MaxAge != tt.age || got.StaleWhileRevalidate != tt.swr || got.StaleIfError != tt.swr {
			t.Errorf("%q: got %+v, %v", tt.value, got, ok)
		}
	}
}

func FuzzSurrogate(f *testing.F) {
	for _, seed := range []string{"max-age=3600+600", `content="ESI/1.0", no-store`, "max-age=60;x", "max-age=+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := httpfield.ParseSurrogate(value)
		if ok != (c.Has != 0) || c.Has&^(httpfield.MaxAge|httpfield.NoStore|httpfield.StaleWhileRevalidate|httpfield.StaleIfError) != 0 {
			t.Errorf("%q: %+v, %v", value, c, ok)
		}
		for _, n := range []int64{c.MaxAge, c.StaleWhileRevalidate, c.StaleIfError} {
			if n < 0 || n > httpfield.MaxDelta {
				t.Errorf("%q: %d seconds", value, n)
			}
		}
	})
}
