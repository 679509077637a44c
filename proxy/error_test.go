package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/origin"
)

func failing(err error) proxy.ChainOptions {
	return withPool(roundTripper(func(*http.Request) (*http.Response, error) { return nil, err }))
}

func TestErrors(t *testing.T) {
	inner := errors.New("dial tcp 192.0.2.80:8443: secret")
	f := func(err error, status int, proxyStatus string) {
		t.Helper()
		o := failing(err)
		var unanswered atomic.Int32
		o.Unanswered = func(string) { unanswered.Add(1) }
		e := newEdge(t, o)
		for _, protocol := range protocols {
			resp, page := e.get(t, protocol)
			if resp.StatusCode != status || resp.Header.Get("Proxy-Status") != proxyStatus {
				t.Errorf("%s: %v: %d %q, want %d %q", protocol, err, resp.StatusCode, resp.Header.Get("Proxy-Status"), status, proxyStatus)
			}
			if text := fmt.Sprint(resp.Header) + page; strings.Contains(text, "192.0.2.80") || strings.Contains(text, "secret") {
				t.Errorf("%s: inner details reach the client: %s", protocol, text)
			}
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: Cache-Control: %q", protocol, resp.Header.Get("Cache-Control"))
			}
		}
		if n := int(unanswered.Load()); n != len(protocols) {
			t.Errorf("%v: %d of %d requests are told of as unanswered", err, n, len(protocols))
		}
	}
	f(&origin.Error{Type: origin.ConnectionRefused, Status: 502, Server: "https://192.0.2.80:8443", Err: inner},
		502, "ams-1; error=connection_refused; next-hop=backend")
	f(&origin.Error{Type: origin.HTTPResponseTimeout, Status: 504, Err: inner}, 504, "ams-1; error=http_response_timeout; next-hop=backend")
	f(&origin.Error{Type: origin.ConnectionLimitReached, Status: 503, Err: inner}, 503, "ams-1; error=connection_limit_reached; next-hop=backend")
	f(fmt.Errorf("read: %w", context.DeadlineExceeded), 504, "ams-1; error=http_response_timeout; next-hop=backend")
	f(inner, 502, "ams-1; error=connection_terminated; next-hop=backend")
	f(cache.ErrOverloaded, 503, "ams-1; error=proxy_internal_response; next-hop=backend")
	f(fmt.Errorf("%w: %w", cache.ErrMustRevalidate, inner), 504, "ams-1; error=connection_terminated; next-hop=backend")
}

func TestErrorPages(t *testing.T) {
	o := failing(errors.New("broken"))
	o.Node = "1.ams" // no token
	e := newEdge(t, o)
	f := func(method, accept, kind string, parts ...string) {
		t.Helper()
		r := e.request(t, method, "example.com", "/", nil)
		r.Header.Set("Accept", accept)
		resp, page := do(t, e.client(t, "h2"), r)
		if resp.Header.Get("Content-Type") != kind || resp.Header.Get("Proxy-Status") != `"1.ams"; error=connection_terminated; next-hop=backend` {
			t.Errorf("%s %s: %v", method, accept, resp.Header)
		}
		for _, p := range parts {
			if !strings.Contains(page, p) {
				t.Errorf("%s %s: no %q in %q", method, accept, p, page)
			}
		}
		if method == "HEAD" && page != "" {
			t.Errorf("a HEAD has content: %q", page)
		}
	}
	f("GET", "text/html,application/xhtml+xml;q=0.9", "text/html; charset=utf-8", "<h1>502 Bad Gateway</h1>", "Request ID: ")
	f("GET", "*/*", "text/plain; charset=utf-8", "502 Bad Gateway\n", "Request ID: ")
	f("GET", "", "text/plain; charset=utf-8")
	f("HEAD", "text/html", "text/html; charset=utf-8")
}

// TestBrokenOff checks that a response which began and can't be completed doesn't look complete.
func TestBrokenOff(t *testing.T) {
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/counted" {
			w.Header().Set("Content-Length", "100")
		}
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	e := newEdge(t, onlyOrigin(t, o.URL))
	eachProtocol(t, e, func(t *testing.T, _ string, c *http.Client) {
		for _, target := range []string{"/counted", "/chunked"} {
			resp, err := c.Do(e.request(t, "GET", "example.com", target, nil))
			if err != nil {
				continue // broken off before the client looked
			}
			if content, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%s: %q ends as if it were whole", target, content)
			}
			_ = resp.Body.Close()
		}
	})
}

func TestPanic(t *testing.T) {
	e := newEdge(t, withPool(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == "POST" { // passes the cache, on the handler's own goroutine
			panic("a mistake")
		}
		return &http.Response{StatusCode: 204, ProtoMajor: 1, Header: http.Header{}, Body: http.NoBody}, nil
	})))
	eachProtocol(t, e, func(t *testing.T, _ string, c *http.Client) {
		resp, page := do(t, c, e.request(t, "POST", "example.com", "/", nil))
		if resp.StatusCode != 500 || strings.Contains(page, "mistake") || resp.Header.Get("Proxy-Status") != "ams-1; error=proxy_internal_error" {
			t.Errorf("%d %v %q", resp.StatusCode, resp.Header, page)
		}
		if resp, _ := do(t, c, e.request(t, "GET", "example.com", "/", nil)); resp.StatusCode != 204 {
			t.Errorf("afterwards: %d", resp.StatusCode)
		}
	})
}

// TestLimits checks the limits through the whole chain: the answers' look is the chain's.
func TestLimits(t *testing.T) {
	var limits admission.Options
	limits.SetDefaults()
	limits.Content, limits.ContentIdle = 1000, 300*time.Millisecond
	o := onlyOrigin(t, mirror(t).URL)
	o.Admission = admission.New(limits, prometheus.NewRegistry())
	e := newEdge(t, o)
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		f := func(what string, content io.Reader, length int64, status int) {
			t.Helper()
			r := e.request(t, "POST", "example.com", "/", content)
			r.ContentLength = length
			resp, _ := do(t, c, r)
			if resp.StatusCode != status {
				t.Errorf("%s: %d, want %d", what, resp.StatusCode, status)
			}
			if got := resp.Header.Get("Proxy-Status"); status >= 400 && !strings.HasPrefix(got, "ams-1; error=http_request_error") {
				t.Errorf("%s: Proxy-Status %q", what, got)
			}
		}
		f("within", zeros(1000), 1000, 200)
		f("within, no length", zeros(1000), -1, 200)
		f("too large", zeros(1001), 1001, 413)
		f("too large midway", zeros(100_000), -1, 413)
		stuck, write := io.Pipe()
		defer write.Close()
		go func() { _, _ = io.WriteString(write, "begun") }() // ends when the client closes the pipe
		f("stuck", stuck, -1, 408)
	})
	limits.Rate, limits.Burst = 0.1, 1
	o.Admission.Configure(limits)
	c := e.client(t, "h2")
	do(t, c, e.request(t, "GET", "example.com", "/", nil))
	resp, _ := do(t, c, e.request(t, "GET", "example.com", "/", nil))
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("too often: %d %v", resp.StatusCode, resp.Header)
	}
}

// TestRestOfContentIsNoRequest has an origin answer before it has all of the content, and the client send the rest when
// nobody waits for it any more.
func TestRestOfContentIsNoRequest(t *testing.T) {
	var limits admission.Options
	limits.SetDefaults()
	limits.ContentIdle = 50 * time.Millisecond
	seen := make(chan string, 8)
	o := onlyOrigin(t, serve(t, func(w http.ResponseWriter, r *http.Request) { seen <- r.URL.Path }).URL)
	o.Admission = admission.New(limits, prometheus.NewRegistry())
	e := newEdge(t, o)
	for _, framing := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
		conn := e.dial(t)
		_, _ = io.WriteString(conn, "POST /open HTTP/1.1\r\nHost: example.com\r\n"+framing+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !resp.Close {
			t.Errorf("%s: the connection is to be used again", framing)
		}
		if path := <-seen; path != "/open" {
			t.Errorf("%s: %s", framing, path)
		}
		time.Sleep(2 * limits.ContentIdle)
		_, _ = io.WriteString(conn, "GET /hidden HTTP/1.1\r\nHost: example.com\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
		select {
		case path := <-seen:
			t.Errorf("%s: the rest became a request for %s", framing, path)
		default:
		}
	}
}

// TestMalformedContentIsTheClients has a client break its own framing.
func TestMalformedContentIsTheClients(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, mirror(t).URL))
	if got := e.raw(t, "POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"); got != "400" {
		t.Errorf("status %s", got)
	}
}
