// Package hitpathtest is what the tests of the loops have in common: connections without a net, a stored response, and
// a budget of allocations.
//
// It imports cache, and not hitpath, whose own tests import it.
package hitpathtest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

// Silent is a connection on which nothing comes and all that is written is lost.
type Silent struct{ net.Conn }

// Read returns io.EOF.
func (Silent) Read([]byte) (int, error) { return 0, io.EOF }

// Write loses p.
func (Silent) Write(p []byte) (int, error) { return len(p), nil }

// Close does nothing.
func (Silent) Close() error { return nil }

// RemoteAddr is one of TCP.
func (Silent) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// SetDeadline does nothing.
func (Silent) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (Silent) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (Silent) SetWriteDeadline(time.Time) error { return nil }

// Unheld is a hitpath.Wire that holds nothing back.
type Unheld struct{}

// Hold does nothing.
func (Unheld) Hold() {}

// Release does nothing.
func (Unheld) Release() error { return nil }

type origin struct{}

// RoundTrip answers with 1 KiB that may be stored.
func (origin) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=600"}, "Content-Type": {"image/png"}, "Etag": {`"x"`}},
		Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 1<<10))), ContentLength: 1 << 10,
	}, nil
}

// noFields are those of a request that has none.
type noFields struct{}

func (noFields) Line(string, int) (string, bool) { return "", false }

// Found is a stored response of 1 KiB. Its cache ends with the test.
func Found(t *testing.T) cache.Found {
	t.Helper()
	var o cache.Options
	o.SetDefaults()
	c := cache.New(o, "ams-1", memory.New(o.Memory), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	h := c.Handler("shop", cache.Policy{}, origin{}, func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "https://a/", nil))
	f, ok := h.(interface {
		Hit([]byte, cache.Target, cache.FieldReader, time.Time) (cache.Found, bool)
	}).Hit(nil, cache.Target{Scheme: "https", Authority: "a", Path: "/"}, noFields{}, time.Now())
	if !ok {
		t.Fatal("nothing is stored")
	}
	return f
}
