package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

// reuseCase is a response, and whether it answers the same request again. Fields are parted by " | "; {-1h} is the date an
// hour ago, {0s} now.
type reuseCase struct {
	section  string // of RFC 9111, if no other
	request  string
	status   int // 0: 200
	response string
	reused   bool
}

const lastYear = "Last-Modified: {-8760h}"

// reuseCases are read from the RFCs' text, apart from how the cache goes about it.
var reuseCases = []reuseCase{
	// freshness
	{"4.2.1", "", 0, "Cache-Control: max-age=60", true},
	{"4.2.1", "", 0, "Cache-Control: max-age=0", false},
	{"4.2.1", "", 0, "Cache-Control: s-maxage=60, max-age=0", true},
	{"4.2.1", "", 0, "Cache-Control: max-age=60, s-maxage=0", false},
	{"4.2.1", "", 0, "Cache-Control: max-age=60 | Expires: {-1h}", true},
	{"4.2.1", "", 0, "Cache-Control: max-age=0 | Expires: {1h}", false},
	{"4.2.1", "", 0, "Cache-Control: max-age=0 | Cache-Control: max-age=60", false},
	{"4.2.1", "", 0, "Cache-Control: max-age=1.5", false},
	{"4.2.1", "", 0, "Cache-Control: max-age=-60", false},
	{"4.2.1", "", 0, "Cache-Control: max-age=60s", false},
	{"4.2.1", "", 0, "Cache-Control: max-age='60'", false},
	{"4.2.1", "", 0, "Cache-Control: max-age", false},
	{"1.2.2", "", 0, "Cache-Control: max-age=99999999999999999999", true},
	{"5.2", "", 0, `Cache-Control: MAX-AGE="60"`, true},
	{"5.2.3", "", 0, `Cache-Control: a, b=c, d="no-store, private", max-age=60`, true},
	{"5.2.3", "", 0, `Cache-Control: a="max-age=60"`, false},
	{"5.2.3", "", 0, `Cache-Control: a="b, max-age=60, no-store`, false},
	{"5.3", "", 0, "Expires: {1h}", true},
	{"5.3", "", 0, "Expires: {0s}", false},
	{"5.3", "", 0, "Expires: 0", false},
	{"5.3", "", 0, "Expires: {1h} | Expires: {-1h}", false},
	{"4.2.3", "", 0, "Cache-Control: max-age=600 | Age: 500", true},
	{"4.2.3", "", 0, "Cache-Control: max-age=60 | Age: 60", false},
	{"4.2.3", "", 0, "Cache-Control: max-age=60 | Date: {-2m}", false},
	{"4.2.3", "", 0, "Cache-Control: max-age=60 | Date: {2m}", true},
	{"5.1", "", 0, "Cache-Control: max-age=60 | Age: 0, 120", true},
	{"5.1", "", 0, "Cache-Control: max-age=60 | Age: 120 | Age: 0", false},
	{"5.1", "", 0, "Cache-Control: max-age=60 | Age: -120", true},
	{"5.1", "", 0, "Cache-Control: max-age=60 | Age: 120.0", true},
	{"4.2.2", "", 0, lastYear, true},
	{"4.2.2", "", 0, lastYear + " | Expires: {-1h}", false},
	{"4.2.2", "", 0, "Last-Modified: {1h}", false},
	{"4.2.2", "", 404, lastYear, true},
	{"4.2.2", "", 302, lastYear, false},
	{"4.2.2", "", 302, lastYear + " | Cache-Control: public", true},
	{"4.2.2", "", 500, lastYear, false},
	// storing
	{"3", "", 0, "", false},
	{"3", "", 201, "Cache-Control: max-age=60", true},
	{"3", "", 299, "Cache-Control: max-age=60", true},
	{"3", "", 503, "Expires: {1h}", true},
	{"5.2.2.3", "", 299, "Cache-Control: max-age=60, must-understand", false},
	{"5.2.2.3", "", 0, "Cache-Control: max-age=60, must-understand, no-store", true},
	{"5.2.2.5", "", 0, "Cache-Control: max-age=60, No-Store", false},
	{"5.2.2.7", "", 0, "Cache-Control: private, s-maxage=60", false},
	{"5.2.2.7", "", 0, `Cache-Control: private="X-Own", max-age=60`, true},
	{"5.2.2.4", "", 0, "Cache-Control: no-cache, max-age=60", false},
	{"5.2.2.4", "", 0, `Cache-Control: no-cache="X-Own", max-age=60`, true},
	{"5.2.2.2", "", 0, "Cache-Control: must-revalidate, max-age=60", true},
	{"5.2.2.8", "", 0, "Cache-Control: proxy-revalidate, max-age=60", true},
	{"3.5", "Authorization: Basic eDp5", 0, "Cache-Control: max-age=60", false},
	{"3.5", "Authorization: Basic eDp5", 0, "Cache-Control: max-age=60, proxy-revalidate", false},
	{"3.5", "Authorization: Basic eDp5", 0, "Cache-Control: max-age=60, must-revalidate", true},
	{"3.5", "Authorization: Basic eDp5", 0, "Cache-Control: max-age=60, public", true},
	{"3.5", "Authorization: Basic eDp5", 0, "Cache-Control: s-maxage=60", true},
	{"4.1", "", 0, "Cache-Control: max-age=60 | Vary: X-A, *", false},
	{"4.1", "", 0, "Cache-Control: max-age=60 | Vary: X-A", true},
	{"4.1", "X-A: b", 0, "Cache-Control: max-age=60 | Vary: x-a | Vary: X-B", true},
	{"5.4", "", 0, "Pragma: no-cache | Expires: {1h}", true},
	{"5.5", "", 0, "Cache-Control: max-age=60 | Warning: 110 - \"stale\"", true},
	{"7.3", "", 0, "Cache-Control: max-age=60 | Set-Cookie: a=b | Set-Cookie: c=d", true},
	// what requests ask for
	{"5.2.1.1", "Cache-Control: max-age=10", 0, "Cache-Control: max-age=60 | Age: 20", false},
	{"5.2.1.1", "Cache-Control: max-age=30", 0, "Cache-Control: max-age=60 | Age: 20", true},
	{"5.2.1.2", "Cache-Control: max-stale=60", 0, "Cache-Control: max-age=60 | Age: 90 | Etag: \"a\"", true},
	{"5.2.1.2", "Cache-Control: max-stale", 0, "Cache-Control: max-age=60 | Age: 90 | Etag: \"a\"", true},
	{"5.2.1.2", "Cache-Control: max-stale=10", 0, "Cache-Control: max-age=60 | Age: 90 | Etag: \"a\"", false},
	{"5.2.1.2", "Cache-Control: max-stale=60", 0, "Cache-Control: max-age=60, must-revalidate | Age: 90 | Etag: \"a\"", false},
	{"5.2.1.3", "Cache-Control: min-fresh=50", 0, "Cache-Control: max-age=60 | Age: 20", false},
	{"5.2.1.3", "Cache-Control: min-fresh=30", 0, "Cache-Control: max-age=60 | Age: 20", true},
	{"5.2.1.4", "Cache-Control: no-cache", 0, "Cache-Control: max-age=60", false},
	{"5.2.1.5", "Cache-Control: no-store", 0, "Cache-Control: max-age=60", false},
	{"5.4", "Pragma: no-cache", 0, "Cache-Control: max-age=60", false},
	{"5.4", "Pragma: no-cache | Cache-Control: max-age=60", 0, "Cache-Control: max-age=60", true},
	{"RFC 8246", "Cache-Control: max-age=0", 0, "Cache-Control: max-age=60, immutable | Age: 20", true},
	// targeted fields
	{"RFC 9213", "", 0, "Cache-Control: no-store | Cdn-Cache-Control: max-age=60", true},
	{"RFC 9213", "", 0, "Expires: {1h} | Cdn-Cache-Control: max-age=0", false},
	{"RFC 9213", "", 0, "Cache-Control: max-age=60 | Cdn-Cache-Control: public", false},
	{"RFC 9213", "", 0, "Cache-Control: max-age=60 | Cdn-Cache-Control: max-age=0,,", true},
	{"RFC 9213", "", 0, "Cache-Control: no-store | Cdn-Cache-Control: MAX-AGE=60", false},
	{"RFC 9213", "", 0, "Cache-Control: no-store | Cdn-Cache-Control: public | Cdn-Cache-Control: max-age=60;a=b", true},
}

// fields reads the fields of a case.
func (reuseCase) fields(text string) http.Header {
	h := http.Header{}
	if text == "" {
		return h
	}
	for line := range strings.SplitSeq(text, " | ") {
		name, value, _ := strings.Cut(line, ": ")
		if before, rest, ok := strings.Cut(value, "{"); ok {
			span, after, _ := strings.Cut(rest, "}")
			d, err := time.ParseDuration(span)
			if err != nil {
				panic(err)
			}
			value = before + time.Now().Add(d).UTC().Format(http.TimeFormat) + after
		}
		h[name] = append(h[name], value)
	}
	return h
}

// TestReuse asks twice for each response of reuseCases, over each protocol, and with content of a length that is told and one
// that isn't. What is reused has the origin's fields and one Age.
func TestReuse(t *testing.T) {
	var asked atomic.Int64
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		parts := strings.Split(r.URL.Path, "/") // /CASE/FRAMING/PROTOCOL
		number, _ := strconv.Atoi(parts[1])
		c := reuseCases[number]
		for name, lines := range c.fields(c.response) {
			w.Header()[name] = lines
		}
		w.Header().Set("X-Own", "mine")
		w.Header()["X-Lines"] = []string{"a", "", "b, c"}
		w.WriteHeader(max(c.status, http.StatusOK))
		if parts[2] == "chunked" {
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, "content of "+r.URL.Path)
	})
	o := onlyOrigin(t, origin.URL)
	o.Cache = newStandardCache(t)
	e := newEdge(t, o)
	eachProtocol(t, e, func(t *testing.T, protocol string, client *http.Client) {
		for number, c := range reuseCases {
			for _, framing := range []string{"told", "chunked"} {
				path := fmt.Sprintf("/%d/%s/%s", number, framing, protocol)
				get := func() (*http.Response, string) {
					r := e.request(t, http.MethodGet, "example.com", path, nil)
					r.Header = c.fields(c.request)
					return do(t, client, r)
				}
				before := asked.Load()
				first, _ := get()
				second, content := get()
				reused := asked.Load() == before+1
				if reused != c.reused || second.StatusCode != max(c.status, http.StatusOK) || content != "content of "+path {
					t.Errorf("%s: %q of %d %q, %s: reused %t, %d %q (%s)", c.section, c.request, c.status, c.response, framing,
						reused, second.StatusCode, content, second.Header.Get("Cache-Status"))
				}
				if reused {
					sameFields(t, path+" "+c.response, first, second)
				}
			}
		}
	})
}

func newStandardCache(t *testing.T) *cache.Cache {
	var options cache.Options
	options.SetDefaults()
	options.Preset = cache.Standard
	c := cache.New(options, "ams-1", memory.New(options.Memory), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// sameFields holds the fields of a hit against those of the miss that brought it.
func sameFields(t *testing.T, what string, miss, hit *http.Response) {
	t.Helper()
	if age := hit.Header["Age"]; len(age) != 1 || strings.Trim(age[0], "0123456789") != "" {
		t.Errorf("%s: Age is %q", what, age)
	}
	for name, lines := range miss.Header {
		switch {
		case name == "Age" || name == "Cache-Status" || name == "Content-Length":
		case name == "X-Own" && strings.Contains(miss.Header.Get("Cache-Control"), "X-Own"):
			if hit.Header[name] != nil {
				t.Errorf("%s: %s was to be kept out", what, name)
			}
		case !slices.Equal(hit.Header[name], lines):
			t.Errorf("%s: %s is %q, and %q on a hit", what, name, lines, hit.Header[name])
		}
	}
}
