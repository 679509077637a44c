//go:build !race

package h2

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// silent is a connection on which nothing comes and all that is written is lost.
type silent struct{ net.Conn }

func (silent) Read([]byte) (int, error)         { return 0, io.EOF }
func (silent) Write(p []byte) (int, error)      { return len(p), nil }
func (silent) Close() error                     { return nil }
func (silent) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
func (silent) SetDeadline(time.Time) error      { return nil }
func (silent) SetReadDeadline(time.Time) error  { return nil }
func (silent) SetWriteDeadline(time.Time) error { return nil }

type unheld struct{}

func (unheld) Hold()          {}
func (unheld) Release() error { return nil }

type originFunc func(*http.Request) (*http.Response, error)

func (f originFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// finder finds one stored response, and counts what is answered.
type finder struct {
	found  cache.Found
	served int
}

func (f *finder) Find(_ *hitpath.Request, a *hitpath.Answer) bool {
	a.Found, a.Account = f.found, f
	a.Status = append(a.Status, "ams-1; hit"...)
	return true
}

func (f *finder) Served(*hitpath.Request, *hitpath.Answer) { f.served++ }

// newFinder has a stored response of 1 KiB.
func newFinder(t *testing.T) *finder {
	t.Helper()
	var o cache.Options
	o.SetDefaults()
	c := cache.New(o, "ams-1", memory.New(o.Memory), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	h := c.Handler("shop", cache.Policy{}, originFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=600"}, "Content-Type": {"image/png"}, "Etag": {`"x"`}},
			Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 1<<10))), ContentLength: 1 << 10,
		}, nil
	}), func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "https://a/", nil))
	f, ok := h.(interface {
		Hit([]byte, cache.Target, cache.FieldReader, time.Time) (cache.Found, bool)
	}).Hit(nil, cache.Target{Scheme: "https", Authority: "a", Path: "/"}, &hitpath.Request{}, time.Now())
	if !ok {
		t.Fatal("nothing is stored")
	}
	return &finder{found: f}
}

// TestHitAllocatesNothing: from the frames that have come to those that are to be written a hit allocates nothing, once the
// client's header table has its fields.
func TestHitAllocatesNothing(t *testing.T) {
	f := newFinder(t)
	s := &Server{
		Hits:   &hitpath.Server{Finder: f, VIP: "www", Header: 64 << 10},
		Header: 256 << 10, Streams: 100, IdleTimeout: time.Hour, SendIdle: time.Hour,
	}
	c := s.NewConn(tls.Server(silent{}, &tls.Config{}), unheld{})
	c.begun, c.settled, c.window, c.input = len(preface), true, 1<<30, &input{}
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	id := uint32(1)
	hit := func() {
		block.Reset()
		for _, field := range [...][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}, {"user-agent", "a browser"}, {"x-own", "value"}} {
			_ = enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into a buffer
		}
		c.octets = appendHeaders(c.octets[:0], id, flagEndStream, block.Bytes())
		id += 2
		if err := c.frames(); err != nil {
			t.Fatal(err)
		}
		s.release(c.out, nil, false)
		c.out = nil
	}
	hit()
	if n := testing.AllocsPerRun(1000, hit); n > 0 || f.served != 1002 {
		t.Errorf("%v allocations, %d answers", n, f.served)
	}
}
