package proxy_test

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	_ "github.com/anyedge/anyedge/proxy/xconnect" // extended CONNECT of net/http's client
)

// wsOrigin agrees to every upgrade, whatever the frames: it greets in the same write as the 101, echoes what comes,
// and says goodbye when the client has ended.
func wsOrigin(w http.ResponseWriter, r *http.Request) {
	conn, rw := wsAccept(w, r)
	defer conn.Close()
	_, _ = rw.WriteString("hello ")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw.Reader)
	_, _ = io.WriteString(conn, "goodbye")
}

// wsAccept writes the 101 into rw, unflushed.
func wsAccept(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.ReadWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: WebSocket\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\nX-Seen: %s %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]), r.Header.Get("Sec-WebSocket-Protocol"), r.Method, r.RequestURI)
	return conn, rw
}

const wsRequest = "GET /chat?x=%2F HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n"

func TestWebSocketOverH1(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, serve(t, wsOrigin).URL))
	for _, door := range [...]string{e.addr, e.loop} {
		checkWebSocket(t, e.dialAt(t, door))
	}
}

func checkWebSocket(t *testing.T, conn *tls.Conn) {
	t.Helper()
	_, _ = io.WriteString(conn, wsRequest+"\r\nsent ahead ") // before the 101: it must not be lost
	answers := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"Sec-Websocket-Protocol": "chat", "X-Seen": "GET /chat?x=%2F", "X-Hop": "", "Content-Length": "", "Via": "1.1 ams-1",
	} {
		if got := resp.Header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	_, _ = io.WriteString(conn, "sent later ")
	expect(t, answers, "hello sent ahead sent later ")
	_ = conn.CloseWrite() // half: the goodbye still comes
	if rest, err := io.ReadAll(answers); string(rest) != "goodbye" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

// expect reads exactly want.
func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); string(got) != want {
		t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

// wsStream opens an extended CONNECT stream.
func (e *edge) wsStream(t *testing.T, protocol, name string) (*http.Response, io.WriteCloser) {
	t.Helper()
	r := e.request(t, http.MethodConnect, "example.com", "", nil)
	r.URL.Opaque, r.URL.Path, r.URL.RawQuery = "", "/chat", "x=%2F"
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Protocol", "chat")
	if protocol == "h3" {
		r.Proto = name
		stream := e.h3Stream(t)
		if err := stream.SendRequestHeader(r); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.ReadResponse()
		if err != nil {
			t.Fatal(err)
		}
		return resp, stream
	}
	r.Header[":protocol"] = []string{name}
	content, write := io.Pipe()
	r.Body = content
	// It is deprecated for net/http's own client, but that refuses the field :protocol.
	if protocol == "h2-loop" {
		r.URL.Host = e.loop
	}
	client := &http2.Transport{TLSClientConfig: &tls.Config{RootCAs: e.roots, ServerName: "example.com"}} //nolint:staticcheck
	t.Cleanup(client.CloseIdleConnections)                                                                //nolint:staticcheck
	resp, err := client.RoundTrip(r)                                                                      //nolint:staticcheck
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = write.Close() })
	return resp, write
}

func TestWebSocketOverH2AndH3(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, serve(t, wsOrigin).URL))
	for _, protocol := range []string{"h2", "h2-loop", "h3"} {
		t.Run(protocol, func(t *testing.T) {
			resp, write := e.wsStream(t, protocol, "websocket")
			if resp.StatusCode != http.StatusOK {
				t.Fatal(resp.Status)
			}
			for key, want := range map[string]string{
				"Sec-Websocket-Protocol": "chat", "X-Seen": "GET /chat?x=%2F",
				"Sec-Websocket-Accept": "", "Upgrade": "", "Connection": "", "X-Hop": "",
			} {
				if got := resp.Header.Get(key); got != want {
					t.Errorf("%s: %q, want %q", key, got, want)
				}
			}
			_, _ = io.WriteString(write, "one ")
			expect(t, resp.Body, "hello one ")
			_, _ = io.WriteString(write, "two ")
			expect(t, resp.Body, "two ")
			_ = write.Close()
			if rest, err := io.ReadAll(resp.Body); string(rest) != "goodbye" || err != nil {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}

// TestWebSocketEndsWithTheOrigin has the origin close first; the client must see the end, not wait for its own.
func TestWebSocketEndsWithTheOrigin(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw := wsAccept(w, r)
		_, _ = rw.WriteString("last words")
		_ = rw.Flush()
		_ = conn.Close()
	}).URL))
	for _, protocol := range []string{"h2", "h2-loop", "h3"} {
		resp, _ := e.wsStream(t, protocol, "websocket")
		if rest, err := io.ReadAll(resp.Body); string(rest) != "last words" || err != nil {
			t.Errorf("%s: %q, %v", protocol, rest, err)
		}
	}
	conn := e.dial(t)
	_, _ = io.WriteString(conn, wsRequest+"\r\n")
	answers := bufio.NewReader(conn)
	if _, err := http.ReadResponse(answers, nil); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(answers); string(rest) != "last words" || err != nil {
		t.Errorf("h1: %q, %v", rest, err)
	}
}

// TestWebSocketCut checks what ends a tunnel from the client's side and from neither.
func TestWebSocketCut(t *testing.T) {
	ended := make(chan error, 8)
	o := onlyOrigin(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw := wsAccept(w, r)
		defer conn.Close()
		_ = rw.Flush()
		_, err := io.Copy(io.Discard, rw.Reader)
		ended <- err
	}).URL)
	wait := func(what string) {
		t.Helper()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the origin's connection stays open", what)
		}
	}
	e := newEdge(t, o)
	for _, protocol := range []string{"h2", "h2-loop", "h3"} {
		resp, write := e.wsStream(t, protocol, "websocket")
		_ = resp.Body.Close()
		if pipe, ok := write.(*io.PipeWriter); ok {
			_ = pipe.CloseWithError(errors.New("gone"))
		} else {
			_ = write.Close()
		}
		wait(protocol + ": the client leaves")
	}
	o.TunnelIdle = 50 * time.Millisecond
	e = newEdge(t, o)
	for _, protocol := range []string{"h2", "h2-loop", "h3"} {
		resp, _ := e.wsStream(t, protocol, "websocket")
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: an idle tunnel ends as if it were complete", protocol)
		}
		wait(protocol + ": nothing moves")
	}
	conn := e.dial(t)
	_, _ = io.WriteString(conn, wsRequest+"\r\n")
	_, _ = io.Copy(io.Discard, conn)
	wait("h1: nothing moves")
}

func TestUpgradeRefused(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"403": func(w http.ResponseWriter, r *http.Request) { http.Error(w, "not you", http.StatusForbidden) },
		"200": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "a page") },
		"other protocol": func(w http.ResponseWriter, r *http.Request) {
			conn, rw, _ := http.NewResponseController(w).Hijack()
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chess\r\n\r\n")
			_ = rw.Flush()
		},
		"wrong accept": func(w http.ResponseWriter, r *http.Request) {
			conn, rw, _ := http.NewResponseController(w).Hijack()
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
				"Sec-WebSocket-Accept: bm8=\r\n\r\n")
			_ = rw.Flush()
		},
	}
	tests := []struct {
		origin, protocol string
		status           int
		kind             string
	}{
		{"403", "h1", 403, ""},
		{"403", "h2", 403, ""},
		{"403", "h3", 403, ""},
		{"200", "h1", 200, ""},
		{"200", "h2", 502, "http_upgrade_failed"}, // a 2xx would open the tunnel
		{"200", "h3", 502, "http_upgrade_failed"},
		{"other protocol", "h1", 502, "http_upgrade_failed"},
		{"other protocol", "h2", 502, "http_upgrade_failed"},
		{"wrong accept", "h1", 101, ""}, // the client has the key
		{"wrong accept", "h2", 502, "http_upgrade_failed"},
	}
	for _, tt := range tests {
		t.Run(tt.protocol+" "+tt.origin, func(t *testing.T) {
			e := newEdge(t, onlyOrigin(t, serve(t, answers[tt.origin]).URL))
			var resp *http.Response
			if tt.protocol == "h1" {
				conn := e.dial(t)
				_, _ = io.WriteString(conn, wsRequest+"\r\n")
				var err error
				if resp, err = http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
					t.Fatal(err)
				}
			} else {
				resp, _ = e.wsStream(t, tt.protocol, "websocket")
			}
			if resp.StatusCode != tt.status || !strings.Contains(resp.Header.Get("Proxy-Status"), tt.kind) {
				t.Errorf("%d, Proxy-Status %q", resp.StatusCode, resp.Header.Get("Proxy-Status"))
			}
		})
	}
}

func TestUpgradesThatAreNone(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, mirror(t).URL))
	f := func(what, raw, want string) {
		t.Helper()
		if got := e.raw(t, raw); got != want {
			t.Errorf("%s: status %q, want %s", what, got, want)
		}
	}
	f("with content", wsRequest+"Content-Length: 4\r\n\r\nGET ", "400")
	f("with chunks", wsRequest+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400")
	f("h2c", "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", "200")
	f("post", "POST / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", "200")
	f("h1.0", "GET / HTTP/1.0\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "200")
	f("connect", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "501")
	for _, protocol := range []string{"h2", "h2-loop", "h3"} {
		if resp, _ := e.wsStream(t, protocol, "connect-udp"); resp.StatusCode != http.StatusNotImplemented {
			t.Errorf("%s: connect-udp: %d", protocol, resp.StatusCode)
		}
	}
}
