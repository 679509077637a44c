package cache

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTTLs(t *testing.T) {
	ttls := TTLs{"404": 4 * time.Second, "4xx": 40 * time.Second, "5xx": 0, "default": time.Minute}
	for status, want := range map[int]time.Duration{
		404: 4 * time.Second, 403: 40 * time.Second, 499: 40 * time.Second, 500: 0, 599: 0, 200: time.Minute, 302: time.Minute,
	} {
		if got, ok := ttls.of(status); !ok || got != want {
			t.Errorf("%d: %v, %v; want %v", status, got, ok, want)
		}
	}
	if _, ok := (TTLs{"404": time.Second}).of(200); ok {
		t.Error("200 has the lifetime of 404")
	}
	if _, ok := TTLs(nil).of(200); ok {
		t.Error("none has a lifetime")
	}
}

// TestAssign is the table of what a path's configuration does to a response's lifetime.
func TestAssign(t *testing.T) {
	silent, force := Policy{TTL: TTLs{"default": time.Minute}}, Policy{ForceTTL: TTLs{"default": time.Minute}}
	both := Policy{TTL: TTLs{"default": time.Hour}, ForceTTL: TTLs{"200": time.Minute}}
	none := Policy{TTL: TTLs{"default": 0}, ForceTTL: TTLs{"404": 0}}
	date := "Date: " + noon.Format(http.TimeFormat)
	for _, tt := range []struct {
		name   string
		policy Policy
		status int
		fields []string
		want   time.Duration
		reason Reason
	}{
		{"silent", silent, 200, nil, time.Minute, ""},
		{"silent, of a status that isn't cacheable", silent, 500, nil, time.Minute, ""},
		{"silent, with a Last-Modified", silent, 200, []string{"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"}, time.Minute, ""},
		{"silent but public", silent, 200, []string{"Cache-Control: public"}, time.Minute, ""},
		{"silent, and old already", silent, 200, []string{"Age: 30"}, 90 * time.Second, ""},
		{"silent, but private", silent, 200, []string{"Cache-Control: private"}, time.Minute, ReasonPrivate},
		{"max-age", silent, 200, []string{"Cache-Control: max-age=5"}, 5 * time.Second, ""},
		{"malformed max-age", silent, 200, []string{"Cache-Control: max-age=x"}, 0, ""},
		{"s-maxage", silent, 200, []string{"Cache-Control: s-maxage=5"}, 5 * time.Second, ""},
		{"Expires", silent, 200, []string{date, "Expires: " + noon.Add(time.Second).Format(http.TimeFormat)}, time.Second, ""},
		{"Expires of the past", silent, 200, []string{"Expires: 0"}, 0, ""},
		{"no-cache", silent, 200, []string{"Cache-Control: no-cache"}, 0, ""},
		{"a targeted field", silent, 200, []string{"Cdn-Cache-Control: max-age=7", "Cache-Control: max-age=5"}, 7 * time.Second, ""},
		{"a targeted field without a lifetime", silent, 200, []string{"Cdn-Cache-Control: public", "Expires: 0"}, time.Minute, ""},

		{"forced", force, 200, []string{"Cache-Control: max-age=5"}, time.Minute, ""},
		{"forced over s-maxage and Expires", force, 200, []string{"Cache-Control: s-maxage=5", "Expires: 0"}, time.Minute, ""},
		{"forced over no-cache", force, 200, []string{"Cache-Control: no-cache"}, time.Minute, ""},
		{"forced over a targeted field", force, 200, []string{"Cdn-Cache-Control: max-age=5"}, time.Minute, ""},
		{"forced, but no-store", force, 200, []string{"Cache-Control: no-store"}, time.Minute, ReasonNoStore},
		{"forced, but private", force, 200, []string{"Cache-Control: private, max-age=5"}, time.Minute, ReasonPrivate},
		{"forced, but Vary: *", force, 200, []string{"Vary: *"}, time.Minute, ReasonVary},
		{"forced before silent", both, 200, nil, time.Minute, ""},
		{"silent of another status", both, 404, nil, time.Hour, ""},

		{"no time", none, 200, nil, 0, ReasonPolicy},
		{"no time, but its own", none, 200, []string{"Cache-Control: max-age=5"}, 5 * time.Second, ""},
		{"forced to no time", none, 404, []string{"Cache-Control: max-age=5"}, 0, ReasonPolicy},
	} {
		r := at(fieldsOf(tt.fields...), tt.status)
		r.assign(&tt.policy)
		q := request{fields: header{}}
		if got, reason := lifetime(r), storable(&q, r); got != tt.want || reason != tt.reason {
			t.Errorf("%s: %v, %q; want %v, %q", tt.name, got, reason, tt.want, tt.reason)
		}
	}
}

// A forced lifetime makes nothing usable without a validation that must be validated for another reason.
func TestForcedLifetimeKeepsMustRevalidate(t *testing.T) {
	p := Policy{ForceTTL: TTLs{"default": time.Minute}}
	r := at(fieldsOf("Cache-Control: no-cache, must-revalidate"), 200)
	r.assign(&p)
	f := newFigures(r, p)
	if f.noCache || !f.noStale {
		t.Errorf("got %+v", f)
	}
}

func problems(check func(report func(key, problem string))) (keys []string) {
	check(func(key, _ string) { keys = append(keys, key) })
	return keys
}

func TestPolicyCheck(t *testing.T) {
	f := func(p Policy, want ...string) {
		t.Helper()
		if got := problems(p.Check); !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", p, got, want)
		}
	}
	f(Policy{})
	f(Policy{TTL: TTLs{"200": time.Hour, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, "599": 1, "default": 0}})
	for _, name := range []string{"1xx", "6xx", "0xx", "xxx", "2x", "20", "2000", "199", "600", "100", "206", "304", "any", "", "2XX", "+20", "-20"} {
		f(Policy{TTL: TTLs{name: time.Hour}}, "ttl."+name)
	}
	f(Policy{ForceTTL: TTLs{"200": -1}}, "force_ttl.200")
	f(Policy{StaleIfError: -1, StaleWhileRevalidate: -1}, "stale_while_revalidate", "stale_if_error")
	f(Policy{Cookies: []string{"a", "b c", "a", ""}}, "cookies[1]", "cookies[2]", "cookies[3]")
	f(Policy{Headers: []string{"X-A", "x:y", "cookie"}}, "headers[1]", "headers[2]")
}

func TestQueryKeyCheck(t *testing.T) {
	f := func(k QueryKey, want ...string) {
		t.Helper()
		if got := problems(k.Check); !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", k, got, want)
		}
	}
	f(QueryKey{})
	f(QueryKey{Ignore: []string{"utm_*", "*", "a[]", "ä"}})
	f(QueryKey{Only: []string{"a*b", "", "a&b", "a=b", "a b", "a;b", "a#", "a?", "**"}},
		"only[0]", "only[1]", "only[2]", "only[3]", "only[4]", "only[5]", "only[6]", "only[7]", "only[8]")
	f(QueryKey{Only: []string{"a"}, Ignore: []string{"b"}}, "only")
}

func TestShortForms(t *testing.T) {
	var p Policy
	var k QueryKey
	if err := p.UnmarshalText([]byte("off")); err != nil || !p.Off {
		t.Errorf("policy: %+v, %v", p, err)
	}
	if err := k.UnmarshalText([]byte("off")); err != nil || !k.Off || k.all() {
		t.Errorf("query: %+v, %v", k, err)
	}
	if p.UnmarshalText([]byte("on")) == nil || k.UnmarshalText([]byte("")) == nil {
		t.Error("on is as good as off")
	}
}

func TestOptionsCheck(t *testing.T) {
	f := func(change func(*Options), want ...string) {
		t.Helper()
		var o Options
		o.SetDefaults()
		change(&o)
		if got := problems(o.Check); !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
	f(func(*Options) {})
	f(func(o *Options) { o.Targeted = nil })
	f(func(o *Options) { o.Targeted = []string{"X-A", "a b", "CACHE-CONTROL", ""} }, "targeted[1]", "targeted[2]", "targeted[3]")
	f(func(o *Options) { o.RequestDirectives = Ignore })
	f(func(o *Options) { o.RequestDirectives = "maybe" }, "request_directives")
	f(func(o *Options) { o.Preset = "none" }, "preset")
}

func TestRequestDirectivesByPreset(t *testing.T) {
	for o, want := range map[[2]string]bool{
		{"safe", ""}: false, {"standard", ""}: true, {"safe", "honour"}: true, {"standard", "ignore"}: false,
	} {
		options := Options{Preset: Preset(o[0]), RequestDirectives: RequestDirectives(o[1])}
		if got := options.honours(); got != want {
			t.Errorf("%v: %v", o, got)
		}
	}
}

func TestFilteredQuery(t *testing.T) {
	ignore, only := QueryKey{Ignore: []string{"utm_*", "fbclid"}}, QueryKey{Only: []string{"page", "f_*"}}
	f := func(k QueryKey, query, want string) {
		t.Helper()
		if got := k.filtered(query); got != want {
			t.Errorf("%+v: %s: got %s, want %s", k, query, got, want)
		}
	}
	f(QueryKey{Off: true}, "a=1", "")
	f(ignore, "", "")
	f(ignore, "a=1&utm_x=2&b", "a=1&b")
	f(ignore, "utm_&fbclid&fbclid=&fbclid2=1", "fbclid2=1")
	f(ignore, "&&a=1&&", "a=1")
	f(ignore, "b=2&a=1", "b=2&a=1") // in its order
	f(ignore, "UTM_x=1", "UTM_x=1")
	f(ignore, "%66bclid=1&utm%5Fx", "")
	f(ignore, "fbclid%=1&fbclid=1;a=2", "fbclid%=1&fbclid=1;a=2")
	f(ignore, "=1", "=1")
	f(only, "page=1&x=2&f_a=3&f_", "page=1&f_a=3&f_")
	f(only, "p%61ge=1", "p%61ge=1")
	f(only, "x;page=2", "x;page=2")
	f(only, "pages=1&PAGE=2&page[]=3", "")
}

func FuzzFilteredQuery(f *testing.F) {
	f.Add("utm_x=1&a=2;b&%zz&&c")
	ignore, only := QueryKey{Ignore: []string{"u*"}}, QueryKey{Only: []string{"u*"}}
	f.Fuzz(func(t *testing.T, query string) {
		ignored, kept := ignore.filtered(query), only.filtered(query)
		if ignore.filtered(ignored) != ignored || only.filtered(kept) != kept {
			t.Errorf("%q: not stable", query)
		}
		for parameter := range strings.SplitSeq(query, "&") { // each is in one of both, and in both only when it is unclear
			if parameter != "" && !slices.Contains(strings.Split(ignored, "&"), parameter) && !slices.Contains(strings.Split(kept, "&"), parameter) {
				t.Errorf("%q: %q is in neither", query, parameter)
			}
		}
	})
}

func TestPolicyKey(t *testing.T) {
	p := Policy{Query: QueryKey{Ignore: []string{"u"}}, Headers: []string{"x-device", "Accept-Language"}, Cookies: []string{"lang"}}
	f := func(query, want string, fields ...string) {
		t.Helper()
		got := string(p.AppendKey(nil, "https", "EXAMPLE.com:443", "/p", query, true, header(fieldsOf(fields...))))
		if want = "https://example.com/p" + want; got != want {
			t.Errorf("%s %q: got %q, want %q", query, fields, got, want)
		}
	}
	f("u=1", "\nheader X-Device\nheader Accept-Language\ncookie lang")
	f("", "\nheader X-Device\nheader Accept-Language\ncookie lang")
	f("a=1&u=2", "?a=1\nheader X-Device=\nheader Accept-Language=de,en;q=0.5\ncookie lang=", "X-Device: ", "Accept-Language: EN;q=0.50 , de", "Cookie: lang=")
	f("a", "?a\nheader X-Device=a,b\nheader Accept-Language\ncookie lang=de=1", "X-Device:  a", "X-Device: b", "Cookie: other=1;lang=de=1 ; Lang=x")
	f("a", "?a\nheader X-Device\nheader Accept-Language\ncookie lang=de=en", "Cookie: lang=de; x=y", "Cookie: lang=en")
	f("a", "?a\nheader X-Device\nheader Accept-Language\ncookie lang=", "Cookie: lang")
}

// No value of a field or cookie can make one key of two, since none holds a line break.
func TestPolicyKeyIsUnambiguous(t *testing.T) {
	p := Policy{Headers: []string{"A", "B"}}
	seen := map[string]string{}
	values := []string{"", "=", "x", "x header B=y", "x, y", "header B"}
	for _, a := range values {
		for _, b := range values {
			key := string(p.AppendKey(nil, "http", "h", "/", "", false, header(fieldsOf("A: "+a, "B: "+b))))
			if other, twice := seen[key]; twice {
				t.Errorf("%q is the key of %s and %q %q", key, other, a, b)
			}
			seen[key] = fmt.Sprintf("%q %q", a, b)
		}
	}
}

func TestSplitKey(t *testing.T) {
	for key, want := range map[string][3]string{
		"http://h/a":                     {"http://h/a", "", ""},
		"http://h/a?b?c":                 {"http://h/a", "b?c", ""},
		"http://h/a\nheader X=?":         {"http://h/a", "", "\nheader X=?"},
		"http://h/a?b\ncookie c\nsearch": {"http://h/a", "b", "\ncookie c\nsearch"},
	} {
		resource, query, parts := splitKey([]byte(key))
		if got := [3]string{string(resource), string(query), string(parts)}; got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

// A key costs no memory beyond its own, whatever is in it.
func TestPolicyKeyAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 512)
	h := header(fieldsOf("X-Device: phone", "Accept-Language: de, en;q=0.5", "Cookie: session=1; lang=de"))
	for name, p := range map[string]Policy{
		"URL alone": {}, "no query": {Query: QueryKey{Off: true}},
		"all": {Query: QueryKey{Ignore: []string{"utm_*"}}, Headers: []string{"X-Device", "Accept-Language"}, Cookies: []string{"lang"}},
	} {
		n := testing.AllocsPerRun(100, func() {
			buf = p.AppendKey(buf[:0], "https", "example.com", "/path", "a=1&utm_x=2&b=3", true, h)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
