package cache_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

// originFunc is an origin made of a function; it counts its requests.
type originFunc struct {
	answer   func(r *http.Request) (*http.Response, error)
	requests atomic.Int32
}

func (o *originFunc) RoundTrip(r *http.Request) (*http.Response, error) {
	o.requests.Add(1)
	return o.answer(r)
}

// respond returns a response; fields are "Name: value".
func respond(content io.Reader, length int64, fields ...string) *http.Response {
	h := make(http.Header)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		h.Add(name, value)
	}
	body, ok := content.(io.ReadCloser)
	if !ok {
		body = io.NopCloser(content)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: body, ContentLength: length}
}

func respondText(text string, fields ...string) *http.Response {
	return respond(strings.NewReader(text), int64(len(text)), fields...)
}

// newCache returns a cache that is closed with the test.
func newCache(t testing.TB, change ...func(*cache.Options)) *cache.Cache {
	c := newCacheUnclosed(t, change...)
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newCacheUnclosed(_ testing.TB, change ...func(*cache.Options)) *cache.Cache {
	var o cache.Options
	o.SetDefaults()
	o.Memory = 64 << 20
	for _, f := range change {
		f(&o)
	}
	return cache.New(o, "edge", memory.New(o.Memory), slog.New(slog.DiscardHandler))
}

// cacheWith returns a cache over another residency, closed with the test.
func cacheWith(t testing.TB, r cache.Residency) *cache.Cache {
	var o cache.Options
	o.SetDefaults()
	o.Memory = 16 << 30
	c := cache.New(o, "edge", r, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func handle(c *cache.Cache, o cache.Origin) http.Handler {
	return c.Handler("site", cache.Policy{}, o, badGateway)
}

func badGateway(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusBadGateway)
}

// get sends a request through a handler; fields are "Name: value".
func get(h http.Handler, target string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// proxied is an origin behind a real connection.
type proxied struct {
	base      *url.URL
	transport *http.Transport
}

func newProxied(t *testing.T, server *httptest.Server) *proxied {
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxied{base: base, transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(p.transport.CloseIdleConnections)
	return p
}

func (p *proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = p.base.Scheme, p.base.Host, ""
	if r.ContentLength == 0 {
		out.Body = nil
	}
	return p.transport.RoundTrip(out)
}

// front serves a handler on a real connection, and returns its URL.
func front(t *testing.T, h http.Handler) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}
