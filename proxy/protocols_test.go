package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestSameAnswers asks the same over H1, H2 and H3: what the origin sees and what the client gets must not depend on
// the protocol.
func TestSameAnswers(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, mirror(t).URL))
	tests := []struct {
		name            string
		method, target  string
		host            string
		field, value    string // of the request
		content         string
		status          int
		origin          string // what the mirror saw: method host target content
		kind, respField string // Proxy-Status' error; a response field that must be there
	}{
		{name: "plain", target: "/a?b=c", status: 200, origin: "GET example.com /a?b=c "},
		{name: "post", method: "POST", target: "/", content: "hello", status: 200, origin: "POST example.com / hello"},
		{name: "head", method: "HEAD", target: "/", status: 200, respField: "Content-Type"},
		{name: "delete", method: "DELETE", target: "/x", status: 200, origin: "DELETE example.com /x "},
		{name: "own method", method: "PURGE", target: "/x", status: 200, origin: "PURGE example.com /x "},
		{name: "options star", method: "OPTIONS", target: "*", status: 200, origin: "OPTIONS example.com * "},
		{name: "get with content", target: "/", content: "q", status: 200, origin: "GET example.com / q"},

		{name: "host in upper case", host: "Shop.EXAMPLE.com", target: "/", status: 200, origin: "GET shop.example.com / "},
		{name: "host with a dot", host: "example.com.", target: "/", status: 200, origin: "GET example.com / "},
		{name: "host with our port", host: "example.com:443", target: "/", status: 200, origin: "GET example.com / "},
		{name: "host with another port", host: "example.com:8443", target: "/", status: 200, origin: "GET example.com:8443 / "},
		{name: "ip literal", host: "[2001:db8::1]", target: "/", status: 200, origin: "GET [2001:db8::1] / "},
		{name: "host with a bad port", host: "example.com:99999", target: "/", status: 400, kind: "http_request_error"},
		{name: "host with a comma", host: "a,b", target: "/", status: 400, kind: "http_request_error"},

		{name: "encoded octets stay", target: "/a%2Fb%20c%7e?x=%2F", status: 200, origin: "GET example.com /a%2Fb%20c%7e?x=%2F "},
		{name: "bars stay", target: "/a|b?c|d", status: 200, origin: "GET example.com /a|b?c|d "},
		{name: "slashes stay", target: "//a//b", status: 200, origin: "GET example.com //a//b "},
		{name: "empty query stays", target: "/a?", status: 200, origin: "GET example.com /a? "},
		{name: "dots in names", target: "/.well-known/a..b/...", status: 200, origin: "GET example.com /.well-known/a..b/... "},
		{name: "up", target: "/a/../b", status: 400, kind: "http_request_error"},
		{name: "encoded up", target: "/a/%2e%2e/b", status: 400, kind: "http_request_error"},
		{name: "backslash up", target: `/a/..\b`, status: 400, kind: "http_request_error"},
		{name: "nul", target: "/a%00.css", status: 400, kind: "http_request_error"},
		{name: "line break", target: "/a%0d%0ab", status: 400, kind: "http_request_error"},
		{name: "fragment", target: "/a#b", status: 400, kind: "http_request_error"},
		{name: "line break in the query", target: "/a?%0a", status: 200, origin: "GET example.com /a?%0a "},

		{name: "trace", method: "TRACE", target: "/", status: 405, kind: "http_request_error", respField: "Allow"},
		{name: "no forwards left", method: "OPTIONS", target: "/", field: "Max-Forwards", value: "0", status: 204, respField: "Allow"},
		{name: "unknown expectation", target: "/", field: "Expect", value: "fireworks", status: 417},
		{name: "loop", target: "/", field: "CDN-Loop", value: `a; v="1", AMS-1; x=y`, status: 508, kind: "proxy_loop_detected"},
		{name: "no loop", target: "/", field: "CDN-Loop", value: "ams-10, ams", status: 200, origin: "GET example.com / "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachProtocol(t, e, func(t *testing.T, _ string, c *http.Client) {
				method, host := tt.method, tt.host
				if method == "" {
					method = http.MethodGet
				}
				if host == "" {
					host = "example.com"
				}
				r := e.request(t, method, host, tt.target, strings.NewReader(tt.content))
				if tt.field != "" {
					r.Header.Set(tt.field, tt.value)
				}
				resp, content := do(t, c, r)
				if resp.StatusCode != tt.status {
					t.Fatalf("status %d, want %d: %s", resp.StatusCode, tt.status, content)
				}
				if tt.respField != "" && resp.Header.Get(tt.respField) == "" {
					t.Errorf("no %s in %v", tt.respField, resp.Header)
				}
				if tt.kind != "" && !strings.Contains(resp.Header.Get("Proxy-Status"), "ams-1; error="+tt.kind) {
					t.Errorf("Proxy-Status: %q, want error=%s", resp.Header.Get("Proxy-Status"), tt.kind)
				}
				if tt.origin == "" {
					return
				}
				s := parseSeen(t, resp, content)
				if got := fmt.Sprint(s.Method, " ", s.Host, " ", s.Target, " ", s.Content); got != tt.origin {
					t.Errorf("the origin saw %q, want %q", got, tt.origin)
				}
			})
		})
	}
}
