package cache

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// The tables for what scenarios would say too lengthily: every status, every limit.

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fieldsOf makes a header section of lines "Name: value".
func fieldsOf(lines ...string) http.Header {
	h := make(http.Header)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

var targeted = []string{"Anyedge-Cache-Control", "Cdn-Cache-Control", "Surrogate-Control"}

func at(h http.Header, status int) *received {
	return newReceived(targeted, status, header(h), noon, noon)
}

// TestStatuses: RFC 9110 §15.1, RFC 9111 §3 and RFC 8470 §5.2, for each final status.
func TestStatuses(t *testing.T) {
	heuristic := []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}
	q := request{fields: header{}}
	for status := 200; status < 600; status++ {
		never := status == 206 || status == 304 || status == 425
		if got := storable(&q, at(fieldsOf("Cache-Control: max-age=60"), status)); (got == "") == never {
			t.Errorf("%d, explicit: %q", status, got)
		}
		want := ReasonNotExplicit
		switch {
		case slices.Contains(heuristic, status):
			want = ""
		case status == 206:
			want = ReasonPartial
		case status == 304 || status == 425:
			want = ReasonStatus
		}
		if got := storable(&q, at(nil, status)); got != want {
			t.Errorf("%d, silent: %q, want %q", status, got, want)
		}
	}
	for _, status := range []int{100, 103, 199} {
		if got := storable(&q, at(fieldsOf("Cache-Control: max-age=60"), status)); got != ReasonStatus {
			t.Errorf("%d: %q", status, got)
		}
	}
}

func TestMustUnderstand(t *testing.T) {
	q := request{fields: header{}}
	for status, want := range map[int]Reason{200: "", 404: "", 503: "", 206: ReasonPartial, 304: ReasonStatus, 418: ReasonStatus, 299: ReasonStatus, 599: ReasonStatus} {
		h := fieldsOf("Cache-Control: must-understand, no-store, max-age=60")
		if got := storable(&q, at(h, status)); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

func TestStorableWithCredentials(t *testing.T) {
	q := request{fields: header{}, authorized: true}
	for control, want := range map[string]Reason{
		"max-age=60": ReasonAuthorization, "max-age=60, public": "", "s-maxage=60": "", "max-age=60, must-revalidate": "",
		"max-age=60, proxy-revalidate": ReasonAuthorization, "public, no-store": ReasonNoStore, "public, private": ReasonPrivate,
	} {
		if got := storable(&q, at(fieldsOf("Cache-Control: "+control), 200)); got != want {
			t.Errorf("%s: %q, want %q", control, got, want)
		}
	}
}

func TestLifetime(t *testing.T) {
	date := func(d time.Duration) string { return noon.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		name   string
		want   time.Duration
		fields []string
	}{
		{"s-maxage first", 3 * time.Second, []string{"Cache-Control: max-age=2, s-maxage=3", "Expires: " + date(time.Hour)}},
		{"s-maxage of zero", 0, []string{"Cache-Control: max-age=2, s-maxage=0"}},
		{"malformed s-maxage", 0, []string{"Cache-Control: max-age=2, s-maxage=x"}},
		{"max-age next", 2 * time.Second, []string{"Cache-Control: max-age=2", "Expires: " + date(time.Hour)}},
		{"Expires", time.Hour, []string{"Expires: " + date(time.Hour), "Last-Modified: " + date(-10*time.Hour)}},
		{"Expires in the past", 0, []string{"Expires: " + date(-time.Hour), "Last-Modified: " + date(-10*time.Hour)}},
		{"Expires after Date", 2 * time.Hour, []string{"Date: " + date(-time.Hour), "Expires: " + date(time.Hour)}},
		{"Expires twice the same", time.Hour, []string{"Expires: " + date(time.Hour), "Expires: " + date(time.Hour)}},
		{"Expires twice", 0, []string{"Expires: " + date(time.Hour), "Expires: " + date(2*time.Hour)}},
		{"Expires of RFC 850", time.Hour, []string{"Expires: " + noon.Add(time.Hour).Format("Monday, 02-Jan-06 15:04:05 GMT")}},
		{"Expires of another zone", 0, []string{"Expires: " + strings.Replace(date(time.Hour), "GMT", "CET", 1)}},
		{"Expires far ahead", httpfield.MaxDelta * time.Second, []string{"Expires: Fri, 31 Dec 9999 23:59:59 GMT"}},
		{"Date malformed", time.Hour, []string{"Date: x", "Expires: " + date(time.Hour)}},
		{"heuristic", time.Hour, []string{"Last-Modified: " + date(-10*time.Hour)}},
		{"heuristic, bounded", heuristicMax, []string{"Last-Modified: " + date(-9999*time.Hour)}},
		{"heuristic, modified later", 0, []string{"Last-Modified: " + date(time.Hour)}},
		{"heuristic, malformed", 0, []string{"Last-Modified: x"}},
		{"nothing", 0, nil},
		{"targeted", 5 * time.Second, []string{"Cdn-Cache-Control: max-age=5", "Cache-Control: s-maxage=9"}},
		{"targeted without a lifetime", time.Hour, []string{"Cdn-Cache-Control: public", "Cache-Control: max-age=9", "Expires: " + date(9*time.Hour), "Last-Modified: " + date(-10*time.Hour)}},
	} {
		if got := lifetime(at(fieldsOf(tt.fields...), 200)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	modified := fieldsOf("Last-Modified: " + date(-10*time.Hour))
	if got := lifetime(at(modified, 302)); got != 0 {
		t.Errorf("heuristic for 302: %v", got)
	}
	modified.Set("Cache-Control", "public")
	if got := lifetime(at(modified, 302)); got != time.Hour {
		t.Errorf("heuristic for a public 302: %v", got)
	}
}

func TestInitialAge(t *testing.T) {
	for _, tt := range []struct {
		name, age string
		date      time.Duration // of Date, relative to the arrival
		delay     time.Duration
		want      time.Duration
	}{
		{"nothing", "", 0, 0, 0},
		{"Date alone", "", -10 * time.Second, 0, 10 * time.Second},
		{"within the second of Date", "", -999 * time.Millisecond, 0, 0},
		{"a second behind Date", "", -1100 * time.Millisecond, 0, time.Second},
		{"Date in the future", "", 10 * time.Second, 0, 0},
		{"Age and delay", "5", -2 * time.Second, 3 * time.Second, 8 * time.Second},
		{"Date is more", "5", -20 * time.Second, 3 * time.Second, 20 * time.Second},
		{"first of a list", "5, 9", 0, 0, 5 * time.Second},
		{"malformed", "-5", 0, 0, 0},
		{"a fraction", "5.5", 0, 0, 0},
		{"huge", "99999999999", 0, time.Hour, httpfield.MaxDelta * time.Second},
	} {
		at := noon.Add(-tt.date % time.Second)
		h := fieldsOf("Date: " + at.Add(tt.date).Format(http.TimeFormat))
		if tt.age != "" {
			h.Set("Age", tt.age)
		}
		if got := initialAge(newReceived(targeted, 200, header(h), at.Add(-tt.delay), at)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestReuse is the table of RFC 9111 §4 and §5.2.1: a response of a lifetime of 100 s, at some age.
func TestReuse(t *testing.T) {
	const validate, fresh, stale, behind = verdictValidate, verdictFresh, verdictStale, verdictBehind
	for _, tt := range []struct {
		response, request string
		age               time.Duration
		want              verdict
		fwd               Fwd
	}{
		{"", "", 99, fresh, ""},
		{"", "", 100, validate, FwdStale},
		{"", "no-cache", 1, validate, FwdRequest},
		{"", "no-cache", 101, validate, FwdStale},
		{"", "max-age=50", 50, fresh, ""},
		{"", "max-age=50", 51, validate, FwdRequest},
		{"", "max-age=50, max-stale=10", 60, stale, ""},
		{"", "max-age=50, max-stale=10", 61, validate, FwdRequest},
		{"", "max-age=0", 1, validate, FwdRequest},
		{"", "max-age=x", 1, validate, FwdRequest},
		{"", "min-fresh=10", 90, fresh, ""},
		{"", "min-fresh=10", 91, validate, FwdRequest},
		{"", "min-fresh=10, max-stale", 105, validate, FwdStale},
		{"", "max-stale", 9999, stale, ""},
		{"", "max-stale=5", 105, stale, ""},
		{"", "max-stale=5", 106, validate, FwdStale},
		{"", "no-store", 1, fresh, ""},
		{"no-cache", "", 1, validate, FwdStale},
		{"no-cache", "max-stale", 1, validate, FwdStale},
		{"must-revalidate", "max-stale", 101, validate, FwdStale},
		{"proxy-revalidate", "max-stale", 101, validate, FwdStale},
		{"s-maxage=100", "max-stale", 101, validate, FwdStale},
		{"must-revalidate", "", 99, fresh, ""},
		{"stale-while-revalidate=10", "", 109, behind, ""},
		{"stale-while-revalidate=10", "", 110, validate, FwdStale},
		{"stale-while-revalidate=10", "no-cache", 105, validate, FwdStale},
		{"stale-while-revalidate=10", "max-age=200", 105, validate, FwdStale},
		{"stale-while-revalidate=10, must-revalidate", "", 105, validate, FwdStale},
		{"stale-while-revalidate=10, s-maxage=100", "", 105, behind, ""},
		{"immutable", "max-age=0", 1, fresh, ""},
		{"immutable", "no-cache", 1, validate, FwdRequest},
		{"immutable", "max-age=0", 101, validate, FwdStale},
	} {
		figures := newFigures(at(fieldsOf("Cache-Control: max-age=100, "+tt.response), 200), Policy{})
		q := parseRequest(true, header(fieldsOf("Cache-Control: "+tt.request)))
		got, fwd := reuse(Standard, &q, &figures, false, noon.Add(tt.age*time.Second))
		if got != tt.want || fwd != tt.fwd {
			t.Errorf("%q, asked %q at %d s: %v %q, want %v %q", tt.response, tt.request, tt.age, got, fwd, tt.want, tt.fwd)
		}
	}
}

func TestSafeIgnoresRequestDirectives(t *testing.T) {
	for _, control := range []string{"no-cache", "max-age=0", "min-fresh=999", "no-store", "max-stale", "stale-if-error=9"} {
		q := parseRequest(false, header(fieldsOf("Cache-Control: "+control)))
		if q.control.Has != 0 {
			t.Errorf("%s counts", control)
		}
	}
	if q := parseRequest(false, header(fieldsOf("Cache-Control: only-if-cached"))); !q.control.Is(httpfield.OnlyIfCached) {
		t.Error("only-if-cached doesn't count")
	}
}

// TestConfirms is RFC 9111 §4.3.4: which 304 is about the stored response.
func TestConfirms(t *testing.T) {
	const modified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"
	for _, tt := range []struct {
		stored, answer []string
		want           bool
	}{
		{[]string{`Etag: "a"`}, []string{`Etag: "a"`}, true},
		{[]string{`Etag: "a"`}, []string{`Etag: "b"`}, false},
		{[]string{`Etag: "a"`}, []string{`Etag: W/"a"`}, true},
		{[]string{`Etag: W/"a"`}, []string{`Etag: "a"`}, true},
		{[]string{`Etag: "a"`}, []string{`Etag: a`}, false},
		{[]string{`Etag: "a"`, modified}, []string{`Etag: "b"`, modified}, false},
		{[]string{modified}, []string{`Etag: "b"`}, false},
		{[]string{modified}, []string{modified}, true},
		{[]string{modified}, []string{"Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT"}, false},
		{[]string{`Etag: "a"`}, []string{modified}, true},
		{[]string{`Etag: "a"`}, nil, true},
	} {
		h := fieldsOf(tt.stored...)
		s := newResponse(at(h, 200), newBlock(h, storedFields(h)), header{}, Policy{})
		if got := confirms(at(fieldsOf(tt.answer...), 304), s); got != tt.want {
			t.Errorf("stored %v, 304 %v: %v", tt.stored, tt.answer, got)
		}
	}
}

func TestInvalidates(t *testing.T) {
	for method, want := range map[string]bool{
		"GET": false, "HEAD": false, "OPTIONS": false, "TRACE": false, "CONNECT": false,
		"QUERY": false, "PROPFIND": false, "REPORT": false, "SEARCH": false, "MKCOL": true, "LOCK": true,
		"POST": true, "PUT": true, "DELETE": true, "PATCH": true, "PURGE": true, "get": true,
	} {
		if got := invalidates(method, 200); got != want {
			t.Errorf("%s: %v", method, got)
		}
		for _, status := range []int{199, 400, 404, 500, 503} {
			if invalidates(method, status) {
				t.Errorf("%s, %d: invalidates", method, status)
			}
		}
	}
	if !invalidates("POST", 302) {
		t.Error("a redirect after POST doesn't invalidate")
	}
}

func TestKey(t *testing.T) {
	f := func(want, scheme, authority, path, query string, hasQuery bool) {
		t.Helper()
		if got := string(AppendKey(nil, scheme, authority, path, query, hasQuery)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f("https://example.com/", "https", "EXAMPLE.com:443", "", "", false)
	f("http://example.com/", "http", "example.com:80", "/", "", false)
	f("http://example.com:443/A", "http", "example.com:443", "/A", "", false)
	f("http://example.com/?", "http", "example.com:", "/", "", true)
	f("http://[::1]:8080/%7e?A=b", "http", "[::1]:8080", "/%7e", "A=b", true)
}

func TestBlock(t *testing.T) {
	h := fieldsOf("B: 1", "B: 2", "A: x: y", "Connection: B2", "B2: 3", "Age: 5", "C: ")
	h["D"] = []string{"evil\r\nX: 1"}
	b := newBlock(h, storedFields(h, []string{"c"}))
	if want := "A: x: y\r\nB: 1\r\nB: 2\r\nD: evil  X: 1\r\n"; string(b) != want {
		t.Errorf("got %q, want %q", b, want)
	}
	back := make(http.Header)
	b.addTo(back)
	if got := back["B"]; !slices.Equal(got, []string{"1", "2"}) || back.Get("A") != "x: y" {
		t.Errorf("got %v", back)
	}
	if line, ok := b.Line("B", 1); !ok || line != "2" {
		t.Errorf("B, 1: %q, %v", line, ok)
	}
	if _, ok := b.Line("B", 2); ok {
		t.Error("B has a third line")
	}
}

func TestCacheStatusName(t *testing.T) {
	for name, want := range map[string]string{"ams-1": "ams-1", "1ams": `"1ams"`, `a "b"\`: `"a \"b\"\\"`, "é": `"??"`} {
		if got := string(appendItem(nil, name)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
