package httpfield_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func elements(list string) (all []string) {
	for element, rest := httpfield.Next(list); element != ""; element, rest = httpfield.Next(rest) {
		all = append(all, element)
	}
	return all
}

func TestNext(t *testing.T) {
	f := func(list string, want ...string) {
		t.Helper()
		if got := elements(list); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
	}
	f("")
	f(" ,\t, ")
	f("a", "a")
	f(" a ,b,, c", "a", "b", "c")
	f(`a="1,2",b`, `a="1,2"`, "b")
	f(`a="\",",b`, `a="\","`, "b")
	f(`a="open,b`, `a="open`, "b")
	f(`a="b,c", d="e,f`, `a="b,c"`, `d="e`, "f")
	f(`a="\`, `a="\`)
	f(`a="\",b`, `a="\"`, "b")
}

func TestUnquote(t *testing.T) {
	for s, want := range map[string]string{`""`: "", `"a b"`: "a b", `"a\"b\\"`: `a"b\`} {
		if got, ok := httpfield.Unquote(s); !ok || got != want {
			t.Errorf("%q: got %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", `"`, "a", `"a`, `a"`, `"a"b"`, `"a\"`, `"a\\"b"`} {
		if got, ok := httpfield.Unquote(s); ok {
			t.Errorf("%q: got %q", s, got)
		}
	}
}

func TestIsToken(t *testing.T) {
	for s, want := range map[string]bool{"a": true, "A-1.x": true, "": false, "a b": false, "a=": false, "ä": false} {
		if got := httpfield.IsToken(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestParseDelta(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "007": 7, "2147483648": 1 << 31, "2147483649": 1 << 31, strings.Repeat("9", 100): 1 << 31} {
		if got, ok := httpfield.ParseDelta(s); !ok || got != want {
			t.Errorf("%q: got %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-1", "+1", "1.0", " 1", "1 ", "0x1", "1e3", "١"} {
		if got, ok := httpfield.ParseDelta(s); ok {
			t.Errorf("%q: got %d", s, got)
		}
	}
}

func TestAppendNormal(t *testing.T) {
	f := func(name, line, want string) {
		t.Helper()
		if got := string(httpfield.AppendNormal([]byte(">"), name, line)); got != ">"+want {
			t.Errorf("%s: %q: got %q, want %q", name, line, got, want)
		}
	}
	f("Accept-Encoding", " GZIP ; q=1.000,br;q=0.5, ,deflate", "br;q=0.5,deflate,gzip")
	f("Accept-Encoding", "gzip;q=0", "gzip;q=0")
	f("Accept-Encoding", "gzip;q=1.5", "gzip;q=1.5")
	f("Accept-Encoding", "", "")
	f("Accept", "text/HTML;level=1, a/b", "a/b,text/html;level=1")
	f("Accept", `a/b;x="Y"`, `a/b;x="Y"`)
	f("Accept-Language", "de , EN;q=0.5", "de,en;q=0.5")
	f("Accept-Language", "en;q=0.5, de", "de,en;q=0.5")
	f("Accept-Language", "b, a, c;q=0.20, d;q=0.2, e;q=0.9, *;q=0.00", "b,a,e;q=0.9,c;q=0.2,d;q=0.2,*;q=0")
	f("Accept-Language", "a;q=x, b;q=2, c", "a;q=x,b;q=2,c") // what isn't a weight keeps its place
	f("Accept-Encoding", "gzip;q=0.500, br;q=0.", "br;q=0,gzip;q=0.5")
	f("X-Any", "  B ,a  ", "B,a")
	f("User-Agent", "Mozilla/5.0 (X11;  Linux)", "Mozilla/5.0 (X11;  Linux)")
	f("Accept-Encoding", strings.Repeat("a,", 17), strings.Repeat("a,", 17))
}

func FuzzAppendNormal(f *testing.F) {
	f.Add("Accept-Encoding", "gzip, br;q=1.0")
	f.Add("Accept", `a;x="\`)
	f.Fuzz(func(t *testing.T, name, line string) {
		once := httpfield.AppendNormal(nil, name, line)
		if twice := httpfield.AppendNormal(nil, name, string(once)); len(elements(line)) <= 16 && string(twice) != string(once) {
			t.Errorf("%s: %q: %q, then %q", name, line, once, twice)
		}
	})
}

func FuzzNext(f *testing.F) {
	f.Add(`a, "b,c" ,`)
	f.Fuzz(func(t *testing.T, list string) {
		for _, element := range elements(list) {
			if element != httpfield.TrimOWS(element) || !strings.Contains(list, element) {
				t.Errorf("%q: element %q", list, element)
			}
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	buf := make([]byte, 0, 256)
	for name, f := range map[string]func(){
		"Cache-Control": func() {
			var c httpfield.CacheControl
			c.Add("public, max-age=3600, stale-while-revalidate=60")
		},
		"If-None-Match": func() {
			if !httpfield.ListMatches(`"a", W/"b"`, httpfield.ETag{Opaque: `"b"`}) {
				t.Error("no match")
			}
		},
		"Accept-Encoding": func() { httpfield.AppendNormal(buf, "Accept-Encoding", "gzip, deflate;q=1.0, br") },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
