package h1_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// script is a server that answers the n-th request over all its connections with the n-th text, as it is.
type script struct {
	t       *testing.T
	ln      net.Listener
	answers chan string
	heads   chan []string // of requests, the lines
	conns   chan net.Conn // accepted
}

func serve(t *testing.T, answers ...string) *script {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &script{t: t, ln: ln, answers: make(chan string, len(answers)), heads: make(chan []string, 100), conns: make(chan net.Conn, 100)}
	for _, a := range answers {
		s.answers <- a
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() { // ends with ln
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go s.answer(s.secured(c)) // ends with c
		}
	}()
	return s
}

// hangUp at an answer's end closes the connection behind it.
const hangUp = "\x00"

func (s *script) answer(c net.Conn) {
	s.conns <- c
	in := bufio.NewReader(c)
	for {
		lines, err := readHead(in)
		if err != nil {
			return
		}
		s.heads <- lines
		answer, ok := <-s.answers
		if !ok {
			return
		}
		text, closes := strings.CutSuffix(answer, hangUp)
		_, _ = io.WriteString(c, text)
		if closes {
			_ = c.Close()
		}
	}
}

func readHead(in *bufio.Reader) (lines []string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line = strings.TrimSuffix(line, "\r\n"); line == "" {
			return lines, nil
		}
		lines = append(lines, line)
	}
}

func (s *script) client() *h1.Client {
	c := &h1.Client{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.ln.Addr().String())
		},
		FirstByte: patience, KeepAlive: time.Hour, MaxIdle: 2, MaxHeader: 10_000,
	}
	if s.isSecure() {
		c.TLS, c.Handshake = &tls.Config{InsecureSkipVerify: true}, patience //nolint:gosec // the certificate isn't what is tested
	}
	s.t.Cleanup(c.CloseIdle)
	return c
}

func newRequest(ctx context.Context, t testing.TB, method string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://origin.example/a%20b?c=d", nil)
	must(t, err)
	return r
}

// outcome is what a request came to.
type outcome struct {
	status  int
	content string
	reused  bool
	err     error // of the header section
	broken  error // of the content
	resp    *http.Response
}

func ask(ctx context.Context, t testing.TB, c *h1.Client, method string) (o outcome) {
	t.Helper()
	resp, err := send(c, newRequest(ctx, t, method), func(reused bool) { o.reused = reused })
	if err != nil {
		o.err = err
		return o
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	o.status, o.content, o.broken, o.resp = resp.StatusCode, string(content), err, resp
	return o
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestFraming reads responses of every framing, and asks again: over the same connection where nothing speaks against it.
func TestFraming(t *testing.T) {
	for name, tt := range map[string]struct {
		method, answer string
		status         int
		content        string
		again          bool
	}{
		"length":                     {"GET", ok, 200, "ok", true},
		"no content":                 {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true},
		"chunked":                    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n", 200, "ok", true},
		"chunked, with trailers":     {"GET", "HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", 200, "ok", true},
		"to the end":                 {"GET", "HTTP/1.1 200 OK\r\n\r\nok" + hangUp, 200, "ok", false},
		"HEAD":                       {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, "", true},
		"HEAD, chunked":              {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", true},
		"204":                        {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
		"304":                        {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, "", true},
		"1xx":                        {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok, 200, "ok", true},
		"close":                      {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
		"1.0":                        {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
		"1.0, kept alive":            {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
		"length and chunked":         {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", true},
		"more than its length":       {"GET", ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 200, "ok", false},
		"content of a HEAD":          {"HEAD", ok, 200, "", false},
		"content of a 304":           {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", 304, "", false},
		"more than its last chunk":   {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx", 200, "ok", false},
		"an upgrade that wasn't":     {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 101, "", false},
		"content that isn't all":     {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok" + hangUp, 200, "ok", false},
		"a chunk that isn't all":     {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok" + hangUp, 200, "ok", false},
		"a size that isn't":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n-1\r\n\r\n", 200, "ok", false},
		"no response":                {"GET", "220 smtp.example.com\r\n\r\n", 0, "", false},
		"a status that isn't":        {"GET", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", 0, "", false},
		"two lengths":                {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", 0, "", false},
		"a length with a sign":       {"GET", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 0, "", false},
		"an unknown coding":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", 0, "", false},
		"a space behind a name":      {"GET", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nok" + hangUp, 200, "ok", false}, // no length
		"fields without an end":      {"GET", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20_000), 0, "", false},
		"interim responses, no end":  {"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000), 0, "", false},
		"fields that end too early":  {"GET", "HTTP/1.1 200 OK\r\nContent-Le" + hangUp, 0, "", false},
		"a status that is too small": {"GET", "HTTP/1.1 099 No\r\n\r\n", 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.answer, ok)
			c := s.client()
			first := ask(t.Context(), t, c, tt.method)
			if first.status != tt.status || first.content != tt.content || (first.err != nil) != (tt.status == 0) {
				t.Errorf("%+v", first)
			}
			if whole := !strings.Contains(name, "isn't all") && !strings.Contains(name, "a size"); (first.broken == nil) != whole {
				t.Errorf("the content ends with %v", first.broken)
			}
			if second := ask(t.Context(), t, c, "GET"); second.content != "ok" || second.reused != tt.again {
				t.Errorf("asked again: %+v", second)
			}
		})
	}
}

func TestTrailers(t *testing.T) {
	s := serve(t, "HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n")
	if o := ask(t.Context(), t, s.client(), "GET"); o.resp.Trailer.Get("X") != "y" {
		t.Errorf("%v", o.resp.Trailer)
	}
}

func TestInterim(t *testing.T) {
	s := serve(t, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"+ok)
	var got []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		got = append(got, fmt.Sprint(code, h.Get("Link")))
		return nil
	}})
	if o := ask(ctx, t, s.client(), "GET"); o.content != "ok" || !slices.Equal(got, []string{"103</x>"}) {
		t.Errorf("%+v, %v", o, got)
	}
}

// TestAnswerThatNobodyAskedFor has a server send another response while the connection is idle, to be taken for the answer
// to what is asked next.
func TestAnswerThatNobodyAskedFor(t *testing.T) {
	s := serve(t, ok, ok)
	c := s.client()
	ask(t.Context(), t, c, "GET")
	server := <-s.conns
	_, err := io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
	must(t, err)
	if o := ask(t.Context(), t, c, "GET"); o.content != "ok" || o.reused {
		t.Errorf("%+v", o)
	}
}

// TestStaleConnection has a server close a connection that is idle, or as it is asked again.
func TestStaleConnection(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := serve(t, ok, ok)
		c := s.client()
		ask(t.Context(), t, c, "GET")
		must(t, (<-s.conns).Close())
		if o := ask(t.Context(), t, c, "GET"); o.content != "ok" || o.reused {
			t.Errorf("%+v", o)
		}
	})
	t.Run("asked", func(t *testing.T) {
		s := serve(t, ok, hangUp, ok)
		c := s.client()
		ask(t.Context(), t, c, "GET")
		if o := ask(t.Context(), t, c, "GET"); o.content != "ok" || o.reused {
			t.Errorf("%+v", o)
		}
	})
	t.Run("answering", func(t *testing.T) {
		s := serve(t, ok, "HTTP/1.1 200 OK\r\nX"+hangUp, ok)
		c := s.client()
		ask(t.Context(), t, c, "GET")
		if o := ask(t.Context(), t, c, "GET"); o.err == nil || !o.reused || len(s.answers) != 1 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("new", func(t *testing.T) {
		s := serve(t, hangUp, ok)
		if o := ask(t.Context(), t, s.client(), "GET"); !errors.Is(o.err, io.EOF) {
			t.Errorf("%+v", o)
		}
	})
}

var errGone = errors.New("gone")

func TestContextEnds(t *testing.T) {
	t.Run("before the response", func(t *testing.T) {
		s := serve(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-s.heads
			cancel(errGone)
		}()
		if o := ask(ctx, t, s.client(), "GET"); !errors.Is(o.err, errGone) {
			t.Errorf("%+v", o)
		}
	})
	t.Run("in the content", func(t *testing.T) {
		s := serve(t, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", ok)
		ctx, cancel := context.WithCancelCause(t.Context())
		c := s.client()
		resp, err := send(c, newRequest(ctx, t, "GET"), func(bool) {})
		must(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 2))
		must(t, err)
		cancel(errGone)
		if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, errGone) {
			t.Errorf("%v", err)
		}
		if o := ask(t.Context(), t, c, "GET"); o.reused {
			t.Error("the connection is used again")
		}
	})
	t.Run("after the content", func(t *testing.T) {
		s := serve(t, ok, ok)
		ctx, cancel := context.WithCancel(t.Context())
		c := s.client()
		ask(ctx, t, c, "GET")
		cancel()
		if o := ask(t.Context(), t, c, "GET"); !o.reused || o.content != "ok" {
			t.Errorf("%+v", o)
		}
	})
}

func TestFirstByte(t *testing.T) {
	s := serve(t, "HTTP/1.1 103 Early Hints\r\n\r\n")
	c := s.client()
	c.FirstByte = 50 * time.Millisecond
	if o := ask(t.Context(), t, c, "GET"); !errors.Is(o.err, os.ErrDeadlineExceeded) {
		t.Errorf("%+v", o)
	}
}

// TestDeadlinesStay has requests whose deadline is an older one's: it isn't moved with each of them, and when it comes too
// early for one it doesn't end that.
func TestDeadlinesStay(t *testing.T) {
	s := serve(t, ok, ok, ok)
	c := s.client()
	dial, impatient := c.Dial, new(impatientConn)
	c.Dial = func(ctx context.Context) (n net.Conn, err error) {
		impatient.Conn, err = dial(ctx)
		return impatient, err
	}
	for i, moved := range []int{1, 0, 1} {
		impatient.moved, impatient.early = 0, i == 2
		if o := ask(t.Context(), t, c, "GET"); o.content != "ok" || o.reused != (i > 0) || impatient.moved != moved {
			t.Errorf("request %d, deadline moved %d times: %+v", i, impatient.moved, o)
		}
	}
}

// impatientConn has its deadline pass at once, where early says so.
type impatientConn struct {
	net.Conn
	moved int // how often the deadline was
	early bool
}

func (c *impatientConn) SetDeadline(t time.Time) error {
	c.moved++
	return c.Conn.SetDeadline(t)
}

func (c *impatientConn) Read(p []byte) (int, error) {
	if c.early {
		c.early = false
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Read(p)
}

// TestLargeRequest sends more at once than there is room for on the way.
func TestLargeRequest(t *testing.T) {
	s := serve(t, ok, ok)
	c := s.client()
	for i := range 2 {
		r := newRequest(t.Context(), t, "GET")
		r.Header = http.Header{"X": {strings.Repeat("x", 8<<20)}}
		var again bool
		resp, err := send(c, r, func(reused bool) { again = reused })
		must(t, err)
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || again != (i > 0) {
			t.Errorf("%v, over an old connection: %v", err, again)
		}
		if lines := <-s.heads; len(lines) != 3 || len(lines[2]) != len("X: ")+8<<20 {
			t.Errorf("%d lines", len(lines))
		}
	}
}

// TestIdleContent has a content stand still.
func TestIdleContent(t *testing.T) {
	s := serve(t, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok")
	c := s.client()
	c.Idle = 50 * time.Millisecond
	if o := ask(t.Context(), t, c, "GET"); o.content != "ok" || !errors.Is(o.broken, os.ErrDeadlineExceeded) {
		t.Errorf("%+v", o)
	}
}

// TestFields has fields in place of a request's own.
func TestFields(t *testing.T) {
	s := serve(t, ok)
	r := newRequest(t.Context(), t, "GET")
	r.Header = http.Header{"Via": {"1.1 a", "1.1 b"}, "X": {"y"}}
	resp, err := s.client().RoundTrip(&h1.Request{Request: r, Host: "other.example", Fields: []h1.Field{{Name: "Via", Value: "1.1 c"}, {Name: "User-Agent"}}})
	must(t, err)
	must(t, resp.Body.Close())
	lines := <-s.heads
	slices.Sort(lines)
	if want := []string{"GET /a%20b?c=d HTTP/1.1", "Host: other.example", "Via: 1.1 c", "X: y"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	r.Header["X"] = nil
	for _, f := range []h1.Field{{Name: "X", Value: "a\r\nY: z"}, {Name: "X Y", Value: "z"}} {
		if _, err := s.client().RoundTrip(&h1.Request{Request: r, Fields: []h1.Field{f}}); err == nil {
			t.Errorf("%q is sent", f)
		}
	}
}

// TestFieldsAsTheyCame has header sections of which net/http would keep Connection to itself, RFC 9110 §7.6.1, or make a
// Cache-Control that nobody sent, RFC 9111 §5.4.
func TestFieldsAsTheyCame(t *testing.T) {
	for _, fields := range []string{
		"Connection: close, X", "connection: X\r\nConnection: Close", "Connection: X,\r\n close", "Connection: close", "Connection: X",
		"Pragma: no-cache", "pragma: no-cache", "Pragma: no-cache\r\nCache-Control: max-age=1", "Pragma: no-cache\r\nCache-Control: no-cache",
		"Connection: close\r\nPragma: no-cache", "X: y",
	} {
		for _, framing := range []string{"Content-Length: 2\r\n\r\nok", "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"} {
			s := serve(t, "HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\n"+fields+"\r\n"+framing+hangUp)
			o := ask(t.Context(), t, s.client(), "GET")
			if o.content != "ok" || o.err != nil || o.broken != nil {
				t.Errorf("%q %q: %+v", fields, framing, o)
				continue
			}
			came, err := textproto.NewReader(bufio.NewReader(strings.NewReader(fields + "\r\n\r\n"))).ReadMIMEHeader()
			must(t, err)
			for _, name := range []string{"Connection", "Pragma", "Cache-Control"} {
				if got, want := o.resp.Header[name], came[name]; !slices.Equal(got, want) {
					t.Errorf("%q %q: %s is %q, want %q", fields, framing, name, got, want)
				}
			}
		}
	}
}

// TestBuffered tells how much of a content has come.
func TestBuffered(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   int
	}{
		"all":          {ok, 2},
		"and more":     {ok + "evil", 2},
		"not all":      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 2},
		"who knows":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0},
		"no end of it": {"HTTP/1.1 200 OK\r\n\r\nok" + hangUp, 0},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := send(serve(t, tt.answer).client(), newRequest(t.Context(), t, "GET"), func(bool) {})
			must(t, err)
			if n := resp.Body.(interface{ Buffered() int }).Buffered(); n != tt.want {
				t.Errorf("%d, want %d", n, tt.want)
			}
			must(t, resp.Body.Close())
			if n := resp.Body.(interface{ Buffered() int }).Buffered(); n != 0 {
				t.Errorf("%d once it is closed", n)
			}
		})
	}
}

// TestClose gives a content up: its connection is closed, and a reader that waits is let go.
func TestClose(t *testing.T) {
	s := serve(t, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", ok)
	c := s.client()
	resp, err := send(c, newRequest(t.Context(), t, "GET"), func(bool) {})
	must(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 2))
	must(t, err)
	read := make(chan error)
	go func() {
		_, err := resp.Body.Read(make([]byte, 1))
		read <- err
	}()
	must(t, resp.Body.Close())
	if err := <-read; err == nil {
		t.Error("there is more")
	}
	server := <-s.conns
	must(t, server.SetReadDeadline(time.Now().Add(patience)))
	if n, err := server.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still there: %v", err)
	}
}

// TestIdle keeps no more connections than it may, and none for longer.
func TestIdle(t *testing.T) {
	s := serve(t, ok, ok, ok)
	c := s.client()
	c.KeepAlive = 200 * time.Millisecond
	var open []*http.Response
	for range 3 {
		resp, err := send(c, newRequest(t.Context(), t, "GET"), func(bool) {})
		must(t, err)
		open = append(open, resp)
	}
	for _, resp := range open {
		_, err := io.Copy(io.Discard, resp.Body)
		must(t, err)
	}
	for range 3 { // one at once, two after a while
		server := <-s.conns
		must(t, server.SetReadDeadline(time.Now().Add(patience)))
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
}

// TestRequest has the same lines as net/http's, which lets spaces and hosts pass that aren't any.
func TestRequest(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"plain":  func(*http.Request) {},
		"HEAD":   func(r *http.Request) { r.Method = "HEAD" },
		"host":   func(r *http.Request) { r.Host = "Shop.example:8080" },
		"idn":    func(r *http.Request) { r.Host = "bücher.example" },
		"opaque": func(r *http.Request) { r.URL.Opaque, r.URL.Host = "/a%2Fb//c", "x" },
		"fields": func(r *http.Request) {
			r.Header = http.Header{"User-Agent": {"a"}, "X-Two": {"1", "2"}, "Content-Length": {"5"}, "Transfer-Encoding": {"chunked"}, "Host": {"evil"}, "Trailer": {"x"}}
		},
		"no agent": func(r *http.Request) { r.Header.Set("User-Agent", "") },
		"space":    func(r *http.Request) { r.URL.Opaque = "/a b" },
		"injected": func(r *http.Request) { r.Header.Set("X", "a\r\nY: z") },
		"name":     func(r *http.Request) { r.Header["X Y"] = []string{"z"} },
		"bad host": func(r *http.Request) { r.Host = "a b" },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, ok, ok)
			standard := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.client().Dial(ctx) }}
			defer standard.CloseIdleConnections()
			lines := func(send func(*http.Request) (*http.Response, error)) []string {
				r := newRequest(t.Context(), t, "GET")
				r.Header.Set("User-Agent", "test")
				change(r)
				resp, err := send(r)
				if err != nil {
					return nil
				}
				must(t, resp.Body.Close())
				return <-s.heads
			}
			want := lines(standard.RoundTrip)
			if name == "space" || name == "bad host" {
				want = nil
			}
			got := lines(func(r *http.Request) (*http.Response, error) { return send(s.client(), r, func(bool) {}) })
			if slices.Sort(got); len(want) > 0 {
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestTakes(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"POST":       func(r *http.Request) { r.Method = "POST" },
		"content":    func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("x")) },
		"length":     func(r *http.Request) { r.ContentLength = 1 },
		"upgrade":    func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		"connection": func(r *http.Request) { r.Header.Set("Connection", "close") },
		"expect":     func(r *http.Request) { r.Header.Set("Expect", "100-continue") },
		"trailers":   func(r *http.Request) { r.Trailer = http.Header{"X": nil} },
		"close":      func(r *http.Request) { r.Close = true },
		"zone":       func(r *http.Request) { r.Host = "[fe80::1%25eth0]" },
	} {
		r := newRequest(t.Context(), t, "GET")
		if !h1.Takes(r) {
			t.Error("a plain request isn't taken")
		}
		if change(r); h1.Takes(r) {
			t.Errorf("%s is taken", name)
		}
	}
}

// FuzzResponse has net/http and the client read the same octets: they must make the same of them, but for the fields that
// net/http changes.
func FuzzResponse(f *testing.F) {
	for _, text := range []string{
		ok, "HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 103 x\r\n\r\n" + ok, "",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", "HTTP/1.1 204 x\r\n\r\nmore",
		"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nX: 1\r\nX:2\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nok", "HTTP/1.1 200\r\nContent-Length: 02\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, head bool) {
		dial := func(context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { // ends with the request, or with the client
				defer server.Close()
				if _, err := readHead(bufio.NewReader(server)); err == nil {
					_, _ = io.WriteString(server, text)
				}
			}()
			return client, nil
		}
		standard := &http.Transport{
			DisableCompression: true, MaxResponseHeaderBytes: 1 << 20,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		}
		defer standard.CloseIdleConnections()
		own := &h1.Client{Dial: dial, FirstByte: patience, KeepAlive: time.Hour, MaxHeader: 1 << 20}
		method := map[bool]string{false: "GET", true: "HEAD"}[head]
		want := told(standard.RoundTrip(newRequest(t.Context(), t, method)))
		got := told(send(own, newRequest(t.Context(), t, method), func(bool) {}))
		if got != want && !strings.Contains(want, "101 ") {
			t.Errorf("%q is\n%s, to net/http\n%s", text, got, want)
		}
	})
}

// told is what a response says. Statuses below 100 aren't any.
func told(resp *http.Response, err error) string {
	if err != nil || resp.StatusCode < 100 {
		return "error"
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return "101 "
	}
	delete(resp.Header, "Connection")
	if len(resp.Header["Pragma"]) > 0 {
		delete(resp.Header, "Cache-Control")
	}
	content, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%s %v %v %q, error %t, %v", resp.Status, resp.ContentLength, resp.Header, content, err != nil, resp.Trailer)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send sends r as it is. got is told of connections.
func send(c *h1.Client, r *http.Request, got witness) (*http.Response, error) {
	return c.RoundTrip(&h1.Request{Request: r, Connected: got})
}

type witness func(reused bool)

func (w witness) Connected(reused bool) { w(reused) }
