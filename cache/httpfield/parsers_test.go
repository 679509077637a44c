package httpfield_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// TestTruncated cuts a value of each parser at every octet, and breaks every octet: nothing panics, and what is accepted
// stays within bounds.
func TestTruncated(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	for _, value := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		`max-age=60, private="a, b", no-cache, x="\"", s-maxage="5"`, `a=1;b="c", d=(1 "x";y :YQ==:), e=@1, f=%"g", h=?0, i=1.5`,
		`"a", W/"b", *`, `params=("a" "b%20";x), key-order, except=("c")`, `max-age=3600+600, content="a,b";c, no-store`,
		"gzip;q=0.50, br;q=1.000, *;q=0", "bytes=0-1,-5,7-", "bytes 0-4/10", "99999999999999999999",
	} {
		parse := func(s string) {
			var c httpfield.CacheControl
			c.Add(s)
			httpfield.ParseDate(s, now)
			httpfield.ParseDictionary(s)
			httpfield.ParseList(s)
			httpfield.ParseTargeted(s)
			httpfield.ParseSurrogate(s)
			if e, ok := httpfield.ParseETag(s); ok && !httpfield.ListMatches(s, e) {
				t.Errorf("%q doesn't match itself", s)
			}
			httpfield.ParseRange(nil, s, 10)
			httpfield.PragmaNoCache(s)
			httpfield.Unquote(s)
			httpfield.AppendNormal(nil, "Accept-Language", s)
			if v, ok := httpfield.ParseNoVarySearch(s); ok {
				v.AppendCanonical(nil, s)
			}
			if n, _ := httpfield.ParseDelta(s); n < 0 || n > httpfield.MaxDelta {
				t.Errorf("%q: %d", s, n)
			}
		}
		for i := range len(value) + 1 {
			parse(value[:i])
			parse(value[i:])
			for _, c := range "\x00\"\\,;=(% \x7f\xff" {
				parse(value[:i] + string(c) + value[min(i+1, len(value)):])
			}
		}
	}
}

func TestInnerStrings(t *testing.T) {
	f := func(value string, ok bool, want ...string) {
		t.Helper()
		members, _ := httpfield.ParseDictionary("a=" + value)
		if len(members) != 1 {
			t.Fatalf("%s: no dictionary", value)
		}
		got, gotOK := members[0].InnerStrings()
		if gotOK != ok || strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Errorf("%s: got %q, %v", value, got, gotOK)
		}
	}
	f("()", true)
	f("(  )", true)
	f(`("a")`, true, "a")
	f(`( "a b"  "c\"d";x=1;y )`, true, "a b", `c"d`)
	f(`("a");x`, true, "a")
	f(`("a" b)`, false)
	f("(1)", false)
	f(`"a"`, false)
	f("a", false)
	f("?1", false)
}

// TestTargetedTypes: RFC 9213 §2.1, each directive in each type. What isn't of its type doesn't make anything fresher.
func TestTargetedTypes(t *testing.T) {
	for _, value := range []string{"?1", "?0", `"5"`, "five", "5.0", "-5", "(5)", ":NQ==:", "@5", `%"5"`} {
		c, ok := httpfield.ParseTargeted("max-age=" + value)
		if !ok || c.MaxAge != 0 || c.Is(httpfield.MaxAge) == (value == "?0") {
			t.Errorf("max-age=%s: %+v, %v", value, c, ok)
		}
	}
	for _, value := range []string{"?1", `"x y"`, "(a b)", "1.5", ":NQ==:"} { // no list of field names: the whole response
		if c, ok := httpfield.ParseTargeted("private=" + value); !ok || !c.Is(httpfield.Private) {
			t.Errorf("private=%s: %+v, %v", value, c, ok)
		}
	}
	for _, value := range []string{"?1", "1", "x", `"x"`, "(a)"} {
		if c, ok := httpfield.ParseTargeted("no-store=" + value); !ok || !c.Is(httpfield.NoStore) {
			t.Errorf("no-store=%s: %+v, %v", value, c, ok)
		}
	}
}

func TestWeights(t *testing.T) {
	f := func(element, want string) {
		t.Helper()
		if got := string(httpfield.AppendNormal(nil, "Accept-Language", element)); got != want {
			t.Errorf("%q: got %q, want %q", element, got, want)
		}
	}
	f("a;q=1", "a")
	f("a;q=1.", "a")
	f("a;Q=1.000", "a")
	f("a ; q=0.5", "a;q=0.5")
	f("a;q=0.500", "a;q=0.5")
	f("a;q=0.050", "a;q=0.05")
	f("a;q=0.005", "a;q=0.005")
	f("a;q=0", "a;q=0")
	f("a;q=0.", "a;q=0")
	f("a;q=0.000", "a;q=0")
	f("a;q=1.001", "a;q=1.001") // these are no weights
	f("a;q=0.0001", "a;q=0.0001")
	f("a;q=2", "a;q=2")
	f("a;q=.5", "a;q=.5")
	f("a;q=", "a;q=")
	f("a;q=05", "a;q=05")
	f("a;q=0,5", "5,a;q=0")
	f(";q=1", ";q=1")
	f("a;q=0.5;x=1", "a;q=0.5;x=1")
}

func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{`"a\"b"`, `""`, `"\`, `a`} {
		f.Add(seed)
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, s string) {
		content, ok := httpfield.Unquote(s)
		if !ok {
			content = s
		}
		if again, ok := httpfield.Unquote(`"` + escape.Replace(content) + `"`); !ok || again != content {
			t.Errorf("%q: %q, then %q", s, content, again)
		}
	})
}

func FuzzParseDelta(f *testing.F) {
	for _, seed := range []string{"0", "60", "2147483648", "99999999999999999999", "-1", "1.5", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := httpfield.ParseDelta(s)
		want, err := strconv.ParseUint(s, 10, 64)
		if strings.HasPrefix(s, "+") {
			return // strconv takes a sign
		}
		if err == nil && (!ok || n != int64(min(want, httpfield.MaxDelta))) || ok && err != nil && n != httpfield.MaxDelta && want != math.MaxUint64 {
			t.Errorf("%q: %d, %v", s, n, ok)
		}
	})
}

func FuzzParseTargeted(f *testing.F) {
	for _, seed := range []string{"max-age=60;p, no-store", `private="a, b", no-cache=c`, "max-age=?0", "s-maxage=-1, max-age=1.5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := httpfield.ParseTargeted(value)
		if !ok && (c.Has != 0 || c.PrivateFields != nil || c.NoCacheFields != nil) {
			t.Errorf("%q: ignored, with %+v", value, c)
		}
		if c.MaxAge < 0 || c.MaxAge > httpfield.MaxDelta || c.SMaxAge < 0 || c.SMaxAge > httpfield.MaxDelta {
			t.Errorf("%q: %+v", value, c)
		}
	})
}
