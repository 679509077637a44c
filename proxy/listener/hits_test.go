package listener_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	edgecache "github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/listener"
)

// noHits finds nothing.
type noHits struct{}

func (noHits) Find(*hitpath.Request, *hitpath.Answer) bool { return false }

// hits finds what a cache has stored, and keeps the accounts.
type hits struct {
	handler http.Handler
	mu      sync.Mutex // guards the following field
	served  []hitpath.Answer
}

// newHits has a content of size octets stored at /.
func newHits(t *testing.T, size int) *hits {
	var o edgecache.Options
	o.SetDefaults()
	c := edgecache.New(o, "ams-1", memory.New(o.Memory), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	origin := originFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=600"}, "Content-Type": {"image/png"}},
			Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size))), ContentLength: int64(size),
		}, nil
	})
	h := &hits{handler: c.Handler("shop", edgecache.Policy{}, origin, func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) })}
	h.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "https://"+host+"/", nil))
	return h
}

type originFunc func(*http.Request) (*http.Response, error)

func (f originFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (h *hits) Find(r *hitpath.Request, a *hitpath.Answer) bool {
	found, ok := h.handler.(interface {
		Hit([]byte, edgecache.Target, edgecache.FieldReader, time.Time) (edgecache.Found, bool)
	}).Hit(nil, edgecache.Target{Scheme: "https", Authority: r.Host, Path: r.Target}, r, r.At)
	if !ok || found.Answer.Length() > r.Room && r.Method != http.MethodHead {
		return false
	}
	a.Found, a.Status, a.Account = found, append(a.Status, "ams-1; hit"...), h
	return true
}

func (h *hits) Served(_ *hitpath.Request, a *hitpath.Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.served = append(h.served, *a)
}

// wait waits for the n-th account, counted from 1.
func (h *hits) wait(t *testing.T, n int) hitpath.Answer {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		h.mu.Lock()
		served := h.served
		h.mu.Unlock()
		if len(served) >= n {
			return served[n-1]
		}
	}
	t.Fatalf("no account of answer %d", n)
	return hitpath.Answer{}
}

// notFound is the way behind the loop.
var notFound = http.HandlerFunc(http.NotFound)

func withHits(h hitpath.Finder) func(*listener.Config) {
	return func(c *listener.Config) { c.Hits = h }
}

func (e *edge) dialH1(t *testing.T) *tls.Conn {
	c, err := tls.Dial("tcp", e.https(), e.clientTLS("http/1.1"))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const askRoot = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"

// ask sends a GET for / and reads the answer.
func ask(t *testing.T, c io.ReadWriter) (*http.Response, int64) {
	t.Helper()
	_, err := io.WriteString(c, askRoot)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	n, err := io.Copy(io.Discard, resp.Body)
	must(t, err)
	return resp, n
}

func TestHitsOfEverySize(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 16 << 10, 16<<10 + 1, 100_000, 200_000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			h := newHits(t, size)
			e := serve(t, notFound, withHits(h))
			e.SetQUICAnswers(true)
			c := e.dialH1(t)
			for i := range 3 {
				resp, n := ask(t, c)
				if resp.StatusCode != 200 || n != int64(size) {
					t.Fatalf("status %d, %d octets, want %d", resp.StatusCode, n, size)
				}
				if got, want := resp.Header.Get("Alt-Svc"), fmt.Sprintf(`h3=":%d"; ma=86400`, e.config.HTTPS); got != want {
					t.Errorf("Alt-Svc: %q, want %q", got, want)
				}
				if a := h.wait(t, i+1); !a.Whole || a.Sent != int64(size) || a.Stalled {
					t.Errorf("account: whole %v, %d octets", a.Whole, a.Sent)
				}
			}
		})
	}
}

// TestHitsToSlowReader holds a client that takes nothing to the limit.
func TestHitsToSlowReader(t *testing.T) {
	h := newHits(t, 8<<20)
	e := serve(t, notFound, withHits(h), func(c *listener.Config) { c.Limits.SendIdle = 200 * time.Millisecond })
	c := e.dialH1(t)
	for range 8 {
		_, err := io.WriteString(c, askRoot)
		must(t, err)
	}
	whole := 1
	for h.wait(t, whole).Whole {
		whole++
	}
	if a := h.wait(t, whole); !a.Stalled || a.Sent >= 8<<20 {
		t.Errorf("stalled %v, %d octets sent", a.Stalled, a.Sent)
	}
	_, _ = io.Copy(io.Discard, c) // ends: the connection was closed
}

// TestHitsAndTime holds slow heads and idle clients to their limits, before and after hits.
func TestHitsAndTime(t *testing.T) {
	tests := map[string]struct {
		header, idle time.Duration
		octets       string
		answers      int
	}{
		"nothing":                  {header: time.Second, idle: time.Hour},
		"a head that stops":        {header: time.Second, idle: time.Hour, octets: "GET / HTTP/1.1\r\nHost"},
		"a hit, and then nothing":  {header: time.Hour, idle: 300 * time.Millisecond, octets: askRoot, answers: 1},
		"a hit, and half a head":   {header: time.Second, idle: time.Hour, octets: askRoot + "GET / HT", answers: 1},
		"a miss, and then nothing": {header: time.Hour, idle: 300 * time.Millisecond, octets: strings.Replace(askRoot, "/", "/miss", 1), answers: 1},
		"a miss, and half a head":  {header: time.Second, idle: time.Hour, octets: strings.Replace(askRoot, "/", "/miss", 1) + "GET / HT", answers: 1},
		"an odd head that stops":   {header: time.Second, idle: time.Hour, octets: askRoot + "get / HT", answers: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := serve(t, notFound, withHits(newHits(t, 100)), func(c *listener.Config) {
				c.Limits.HeaderTimeout, c.Limits.IdleTimeout = tt.header, tt.idle
			})
			c := e.dialH1(t)
			_ = c.SetDeadline(time.Now().Add(patience))
			_, err := io.WriteString(c, tt.octets)
			must(t, err)
			r := bufio.NewReader(c)
			for range tt.answers {
				resp, err := http.ReadResponse(r, nil)
				must(t, err)
				_, _ = io.Copy(io.Discard, resp.Body)
			}
			if b, err := io.ReadAll(r); err != nil || len(b) > 0 && name != "an odd head that stops" {
				t.Errorf("the connection isn't closed without a word: %q, %v", b, err)
			}
		})
	}
}

// TestHitsAndShutdown ends a listener whose clients net/http never heard of, one of them amid an answer.
func TestHitsAndShutdown(t *testing.T) {
	h := newHits(t, 8<<20)
	e := serve(t, notFound, withHits(h))
	idle, busy := e.dialH1(t), e.dialH1(t)
	ask(t, idle)
	_, err := io.WriteString(busy, askRoot)
	must(t, err)
	r := bufio.NewReader(busy)
	resp, err := http.ReadResponse(r, nil)
	must(t, err)
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		down <- e.Shutdown(ctx)
	}()
	if n, err := io.Copy(io.Discard, idle); n != 0 || err != nil {
		t.Errorf("the idle connection gets %d octets, %v", n, err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != 8<<20 || err != nil {
		t.Errorf("the answer under way has %d octets, %v", n, err)
	}
	must(t, <-down)
	e.ended()
}

// TestFirstRequestAtShutdown: a client that has just connected when the listener ends gets its answer, and is told that it is
// the last.
func TestFirstRequestAtShutdown(t *testing.T) {
	h := newHits(t, 100)
	e := serve(t, notFound, withHits(h))
	c := e.dialH1(t)
	eventually(t, "the connection is open", func() bool { return e.metric("connections", "protocol=h1") == 1 })
	down := make(chan error, 1)
	go func() { down <- e.Shutdown(t.Context()) }()
	eventually(t, "the port is closed", func() bool {
		other, err := net.Dial("tcp", e.https())
		if err == nil {
			_ = other.Close()
		}
		return err != nil
	})
	if resp, _ := ask(t, c); !resp.Close {
		t.Error("the answer lacks Connection: close")
	}
	must(t, wait(t, "Shutdown returns", down))
	e.ended()
}

// TestHitsOfLargeHeader holds a request that would be a hit to the limit of its header.
func TestHitsOfLargeHeader(t *testing.T) {
	e := serve(t, notFound, withHits(newHits(t, 10)), func(c *listener.Config) { c.Limits.Header = 1 << 10 })
	c := e.dialH1(t)
	_, err := io.WriteString(c, strings.Replace(askRoot, "\r\n\r\n", "\r\nCookie: "+strings.Repeat("x", 1100)+"\r\n\r\n", 1))
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// A request of a client that has sent so much ahead that nobody reads any more ends when the listener is cut off.
func TestCutEndsRequests(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	e := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	}), withHits(noHits{}))
	c := e.dialH1(t)
	_, err := io.WriteString(c, askRoot+"GET / HTTP/1.1\r\nX: ")
	must(t, err)
	wait(t, "the handler runs", began)
	for err == nil { // until the other side's buffers are full
		must(t, c.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		_, err = c.Write(make([]byte, 64<<10))
	}
	e.cut()
	wait(t, "its context ends", ended)
	e.ended()
}
