package proxy_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/proxy"
)

// sent is what a forwarder makes of a request with these fields ("Name: value").
func sent(t *testing.T, method string, fields ...string) http.Header {
	t.Helper()
	var got http.Header
	o := withPool(roundTripper(func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody}, nil
	}))
	e := newEdge(t, o)
	raw := method + " / HTTP/1.1\r\nHost: example.com\r\n"
	for _, f := range fields {
		raw += f + "\r\n"
	}
	if status := e.raw(t, raw+"Content-Length: 0\r\n\r\n"); status != "200" {
		t.Fatalf("%v: status %s", fields, status)
	}
	return got
}

func TestRequestFields(t *testing.T) {
	f := func(send []string, key string, want ...string) {
		t.Helper()
		if got := sent(t, "GET", send...)[key]; !slices.Equal(got, want) {
			t.Errorf("%q: the origin sees %s: %q, want %q", send, key, got, want)
		}
	}
	fields := func(f ...string) []string { return f }

	// Hop by hop: RFC 9110 §7.6.1.
	f(fields("Connection: keep-alive, X-Mine", "X-Mine: 1"), "X-Mine")
	f(fields("Connection: keep-alive"), "Connection")
	f(fields("Keep-Alive: timeout=5"), "Keep-Alive")
	f(fields("Proxy-Connection: keep-alive"), "Proxy-Connection")
	f(fields("Proxy-Authorization: Basic eA=="), "Proxy-Authorization")
	f(fields("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Connection: Upgrade, HTTP2-Settings"), "Http2-Settings")
	f(fields("Upgrade: h2c", "Connection: Upgrade"), "Upgrade")
	f(fields("TE: trailers, deflate;q=0.5", "Connection: TE"), "Te", "trailers")
	f(fields("TE: deflate"), "Te")

	// Not to be nominated away.
	f(fields("Connection: Authorization", "Authorization: Basic eA=="), "Authorization", "Basic eA==")
	f(fields("Connection: Cookie, close", "Cookie: a=b"), "Cookie", "a=b")
	f(fields("Connection: Accept-Encoding", "Accept-Encoding: br"), "Accept-Encoding", "br")
	f(fields("Connection: X-Forwarded-For"), "X-Forwarded-For", "127.0.0.1")
	f(fields("Connection: Via", "Via: 1.0 fred"), "Via", "1.0 fred, 1.1 ams-1")
	f(fields("Connection: CDN-Loop", "CDN-Loop: other"), "Cdn-Loop", "other, ams-1")

	// Not to be spoofed.
	f(fields("X-Forwarded-For: 192.0.2.1"), "X-Forwarded-For", "127.0.0.1")
	f(fields("X_Forwarded_For: 192.0.2.1"), "X_forwarded_for")
	f(fields("Transfer_Encoding: chunked"), "Transfer_encoding")
	f(fields("Content_Length: 5"), "Content_length")
	f(fields("my_key: 1"), "My_key", "1")
	f(fields("X-Forwarded-Proto: http"), "X-Forwarded-Proto", "https")
	f(fields("X-Forwarded-Host: evil.example"), "X-Forwarded-Host", "example.com")
	f(fields("X-Forwarded-Port: 1"), "X-Forwarded-Port")
	f(fields("Forwarded: for=192.0.2.1"), "Forwarded", "for=127.0.0.1;host=example.com;proto=https")
	f(fields("X-Real-IP: 192.0.2.1"), "X-Real-Ip")
	f(fields("X-Original-URL: /admin"), "X-Original-Url")
	f(fields("X-HTTP-Method-Override: DELETE"), "X-Http-Method-Override")
	f(fields("Anyedge-Self: guess"), "Anyedge-Self")
	f(fields("Proxy: http://evil.example"), "Proxy")

	// Everything else arrives as it came.
	f(fields("X-Mine: a", "X-Mine: b, c"), "X-Mine", "a", "b, c")
	f(fields(), "User-Agent", "")
	f(fields("User-Agent: curl/8"), "User-Agent", "curl/8")
	f(fields(), "Accept-Encoding")
	if got := sent(t, "POST", "X-HTTP-Method-Override: PUT").Get("X-Http-Method-Override"); got != "PUT" {
		t.Errorf("a POST's override is gone: %q", got)
	}
}

func TestVersionsInVia(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, mirror(t).URL))
	for protocol, want := range map[string]string{"h1": "1.1 ams-1", "h2": "2.0 ams-1", "h3": "3.0 ams-1"} {
		resp, content := e.get(t, protocol)
		if got := parseSeen(t, resp, content).Fields.Get("Via"); got != want {
			t.Errorf("%s: Via of the request: %q, want %q", protocol, got, want)
		}
		if got := resp.Header.Get("Via"); got != "1.1 ams-1" {
			t.Errorf("%s: Via of the response: %q", protocol, got)
		}
	}
}

func TestResponseFields(t *testing.T) {
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Connection", "X-Hop, Cache-Control, Content-Hop")
		h.Set("X-Hop", "1")
		h.Set("Content-Hop", "1")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Upgrade", "h2c")
		h.Set("Alt-Svc", `h3=":8443"`)
		h.Set("Anyedge-Self", "forged")
		h.Set("Cache-Control", "no-store")
		h["X-Many"] = []string{"a", "b"}
		h.Set("Via", "1.0 fred")
	})
	e := newEdge(t, onlyOrigin(t, origin.URL))
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		resp, _ := do(t, c, e.request(t, "GET", "example.com", "/", nil))
		for _, key := range []string{"X-Hop", "Content-Hop", "Keep-Alive", "Upgrade", "Alt-Svc", "Anyedge-Self", "Connection"} {
			if v, ok := resp.Header[key]; ok {
				t.Errorf("%s: %q came through", key, v)
			}
		}
		for key, want := range map[string][]string{
			"Cache-Control": {"no-store"}, "X-Many": {"a", "b"}, "Via": {"1.0 fred, 1.1 ams-1"},
		} {
			if got := resp.Header[key]; !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", key, got, want)
			}
		}
	})
}

// What has no Content-Type gets none: to look at the content, or not to, is for the client to decide, RFC 9110 §8.3.
func TestNoTypeIsGuessed(t *testing.T) {
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		if r.URL.Path == "/unstored" {
			w.Header().Set("Cache-Control", "no-store")
		} else {
			w.Header().Set("Cache-Control", "max-age=60")
		}
		_, _ = io.WriteString(w, "<html>hello")
	})
	e := newEdge(t, onlyOrigin(t, origin.URL))
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		for _, path := range []string{"/unstored", "/" + protocol, "/" + protocol, "/" + protocol} {
			resp, content := do(t, c, e.request(t, "GET", "example.com", path, nil))
			if lines, ok := resp.Header["Content-Type"]; ok || content != "<html>hello" {
				t.Errorf("%s: %q of %q (%s)", path, lines, content, resp.Header.Get("Cache-Status"))
			}
		}
	})
}

// A 204 has no Content-Length, whatever the origin says, RFC 9110 §8.6.
func TestNoContentHasNoLength(t *testing.T) {
	o := withPool(roundTripper(func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Length": {"0"}, "Cache-Control": {"max-age=60"}}
		return &http.Response{StatusCode: 204, ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: http.NoBody}, nil
	}))
	e := newEdge(t, o)
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		for _, method := range []string{"GET", "GET", "HEAD", "POST"} {
			resp, _ := do(t, c, e.request(t, method, "example.com", "/"+protocol, nil))
			if lines, ok := resp.Header["Content-Length"]; ok || resp.StatusCode != 204 {
				t.Errorf("%s: %d with Content-Length %q (%s)", method, resp.StatusCode, lines, resp.Header.Get("Cache-Status"))
			}
		}
	})
}

func TestResponseThatBreaksTheProtocol(t *testing.T) {
	f := func(resp *http.Response, want string) {
		t.Helper()
		closed := &closeNoter{Reader: strings.NewReader("x")}
		resp.Body, resp.Header = closed, http.Header{}
		forwarder := proxy.NewForwarder("ams-1", "shop", roundTripper(func(*http.Request) (*http.Response, error) { return resp, nil }))
		r, _ := http.NewRequest("GET", "https://example.com/", nil)
		_, err := forwarder.RoundTrip(r)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("status %d: %v, want %q", resp.StatusCode, err, want)
		}
		if want != "" && !closed.closed {
			t.Errorf("status %d: the response was not closed", resp.StatusCode)
		}
	}
	f(&http.Response{StatusCode: 200}, "")
	f(&http.Response{StatusCode: 599}, "")
	f(&http.Response{StatusCode: 600}, "origin shop: response with status 600: http_protocol_error")
	f(&http.Response{StatusCode: 999}, "http_protocol_error")
	f(&http.Response{StatusCode: 103}, "http_protocol_error")
	f(&http.Response{StatusCode: 101}, "unasked_upgrade")
}

func TestForwarderNamesTheOrigin(t *testing.T) {
	broken := errors.New("broken")
	f := proxy.NewForwarder("ams-1", "shop", roundTripper(func(*http.Request) (*http.Response, error) { return nil, broken }))
	r, _ := http.NewRequest("GET", "https://example.com/", nil)
	if _, err := f.RoundTrip(r); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "origin shop: ") {
		t.Error(err)
	}
}

type closeNoter struct {
	io.Reader
	closed bool
}

func (c *closeNoter) Close() error {
	c.closed = true
	return nil
}
