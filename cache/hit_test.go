package cache_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// hitter is what a server's own loop finds in a handler.
type hitter interface {
	Hit(scratch []byte, t cache.Target, f cache.FieldReader, now time.Time) (cache.Found, bool)
	AppendStatus(dst []byte, found *cache.Found) []byte
	Served(octets int64)
}

// hitTarget is what TestHit asks for.
var hitTarget = cache.Target{Scheme: "http", Authority: "example.com", Path: "/a", Query: "b", HasQuery: true}

// TestHit holds Hit to what ServeHTTP does: it may only find what is a hit there, and must leave the rest.
func TestHit(t *testing.T) {
	png := "Cache-Control: max-age=60|Content-Type: image/png"
	html := "Cache-Control: max-age=60|Content-Type: text/html"
	gzip := requestFields{{"Accept-Encoding", "gzip"}}
	tests := []struct {
		name     string
		response string // fields, separated by |
		request  requestFields
		policy   cache.Policy
		hit      bool
	}{
		{name: "fresh", response: png, hit: true},
		{name: "varying, selected", response: png + "|Vary: X", request: requestFields{{"X", "1"}}, hit: true},
		{name: "varying, another", response: png + "|Vary: X", request: requestFields{{"X", "2"}}},
		{name: "stale", response: `Cache-Control: max-age=0|Etag: "1"`},
		{name: "stale, behind", response: `Cache-Control: max-age=0, stale-while-revalidate=60|Etag: "1"`},
		{name: "not stored", response: "Cache-Control: no-store"},
		{name: "bypassed", response: png, policy: cache.Policy{Off: true}},
		{name: "with credentials", response: png, request: requestFields{{"Authorization", "x"}}},
		{name: "to be encoded", response: html, request: gzip},
		{name: "not to be encoded", response: png, request: gzip, hit: true},
		{name: "never encoded here", response: html, request: gzip, policy: cache.Policy{Encoding: cache.EncodingOff}, hit: true},
		{name: "not for this client", response: html, hit: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
				return respondText(strings.Repeat("content ", 500), strings.Split(tt.response, "|")...), nil
			}}
			c := newCache(t)
			h := c.Handler("", tt.policy, o, nil)
			r := httptest.NewRequest("GET", "http://example.com/a?b", nil)
			r.Header.Set("X", "1")
			h.ServeHTTP(httptest.NewRecorder(), r)
			found, ok := h.(hitter).Hit(nil, hitTarget, tt.request, time.Now())
			if ok != tt.hit {
				t.Fatalf("hit: %v, want %v", ok, tt.hit)
			}
			if ok {
				checkHit(t, c, h.(hitter), &found)
			}
		})
	}
}

// checkHit looks at what a hit says and counts.
func checkHit(t *testing.T, c *cache.Cache, h hitter, found *cache.Found) {
	t.Helper()
	if status := string(h.AppendStatus([]byte("x"), found)); !strings.HasPrefix(status, "xedge; hit; ttl=") {
		t.Errorf("Cache-Status: %s", status)
	}
	before := c.Stats()
	h.Served(found.Answer.Length())
	if after := c.Stats(); after.Hits != before.Hits+1 || after.Requests != before.Requests+1 || after.HitBytes != before.HitBytes+4000 {
		t.Errorf("counted %+v", after.SiteStats)
	}
}

func TestHitOfHandlerAllocatesNothing(t *testing.T) {
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText("hello", "Cache-Control: max-age=60", "Vary: Accept-Language"), nil
	}}
	c := newCache(t)
	h := c.Handler("", cache.Policy{}, o, nil)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://example.com/a?b", nil))
	var fields cache.FieldReader = requestFields{{"Accept-Encoding", "gzip, br"}}
	scratch, status := make([]byte, 0, 128), make([]byte, 0, 128)
	var found cache.Found
	if n := testing.AllocsPerRun(1000, func() {
		var ok bool
		found, ok = h.(hitter).Hit(scratch, hitTarget, fields, time.Now())
		if !ok {
			t.Fatal("no hit")
		}
		h.(hitter).AppendStatus(status, &found)
		h.(hitter).Served(5)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
