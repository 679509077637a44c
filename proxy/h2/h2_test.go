package h2_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/h2"
	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

// patience is for what should come at once.
const patience = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// server serves H2 on a port of loopback.
type server struct {
	t     testing.TB
	addr  string
	roots *x509.CertPool
	conns chan *h2.Conn
	rests chan struct{} // one for each rest, as long as they are taken
	// leaves is whether connections are told to end before they are served.
	leaves atomic.Bool
}

func serve(t testing.TB, h http.HandlerFunc, adjust ...func(*h2.Server)) *server {
	t.Helper()
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	t.Cleanup(certs.Close)
	s := &server{t: t, roots: x509.NewCertPool(), conns: make(chan *h2.Conn, 8), rests: make(chan struct{}, 1)}
	s.roots.AddCert(certs.Certificate())
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certs.TLS.Certificates, NextProtos: []string{"h2"}})
	must(t, err)
	s.addr = ln.Addr().String()
	served := &h2.Server{
		Handler: h, Context: context.WithValue(context.Background(), key{}, "value"), Log: slog.New(slog.DiscardHandler),
		Header: 64 << 10, Streams: 100, IdleTimeout: patience, SendIdle: patience,
	}
	for _, f := range adjust {
		f(served)
	}
	var serving sync.WaitGroup
	var open sync.Map // of net.Conn
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			serving.Go(func() {
				defer open.Delete(c)
				defer c.Close()
				if c.(*tls.Conn).Handshake() != nil {
					return
				}
				conn := served.NewConn(c.(*tls.Conn), hitpathtest.Unheld{})
				s.conns <- conn
				if s.leaves.Load() {
					conn.Leave()
				}
				for conn.Serve(); conn.Rests(); conn.Serve() {
					select {
					case s.rests <- struct{}{}:
					default:
					}
				}
			})
		}
	})
	t.Cleanup(serving.Wait)
	t.Cleanup(func() {
		_ = ln.Close()
		for c := range open.Range {
			_ = c.(net.Conn).Close()
		}
	})
	return s
}

type key struct{}

func (s *server) tls() *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: "example.com", NextProtos: []string{"h2"}}
}

// client is x/net's.
func (s *server) client() *http.Client {
	transport := &http2.Transport{TLSClientConfig: s.tls(), DisableCompression: true} //nolint:staticcheck // net/http's has its own ideas of connections
	s.t.Cleanup(transport.CloseIdleConnections)                                       //nolint:staticcheck // the same
	return &http.Client{Transport: transport, Timeout: patience}
}

func (s *server) url(path string) string { return "https://" + s.addr + path }

// conn speaks frame by frame.
type conn struct {
	*http2.Framer
	t   testing.TB
	tls *tls.Conn
}

func (s *server) dial(settings ...http2.Setting) *conn {
	s.t.Helper()
	c, err := tls.Dial("tcp", s.addr, s.tls())
	must(s.t, err)
	s.t.Cleanup(func() { _ = c.Close() })
	must(s.t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, http2.ClientPreface)
	must(s.t, err)
	f := &conn{http2.NewFramer(c, c), s.t, c}
	f.ReadMetaHeaders = hpack.NewDecoder(4<<10, nil)
	must(s.t, f.WriteSettings(settings...))
	return f
}

// open begins a request.
func (c *conn) open(id uint32, end bool, method string, fields ...string) {
	c.t.Helper()
	must(c.t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true, BlockFragment: block(method, fields...)}))
}

func block(method string, fields ...string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	enc.SetMaxDynamicTableSize(0)
	if method != "" {
		fields = append([]string{":method", method, ":scheme", "https", ":authority", "example.com", ":path", "/"}, fields...)
	}
	for i := 0; i < len(fields); i += 2 {
		_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into a buffer
	}
	return b.Bytes()
}

// next returns the next frame of type F, passing over others.
func next[F http2.Frame](c *conn) F {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		must(c.t, err)
		if wanted, ok := f.(F); ok {
			return wanted
		}
	}
}

// status is that of the next answer.
func (c *conn) status() string {
	c.t.Helper()
	return next[*http2.MetaHeadersFrame](c).PseudoValue("status")
}

// resets wants a stream's end for code.
func (c *conn) resets(id uint32, code http2.ErrCode) {
	c.t.Helper()
	if f := next[*http2.RSTStreamFrame](c); f.StreamID != id || f.ErrCode != code {
		c.t.Errorf("%v, want %v on stream %d", f, code, id)
	}
}

// ends wants the connection's end for code, and tells the last stream that was looked at.
func (c *conn) ends(code http2.ErrCode) uint32 {
	c.t.Helper()
	f := next[*http2.GoAwayFrame](c)
	if f.ErrCode != code {
		c.t.Errorf("%v, want %v", f, code)
	}
	return f.LastStreamID
}

func TestRequestAndAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if r.Proto != "HTTP/2.0" || r.TLS == nil || r.Context().Value(key{}) != "value" || r.RemoteAddr == "" || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
		w.Header().Set("Trailer", "X-Sum")
		w.Header()["X-Two"] = []string{"a", "b"}
		w.Header().Set("Connection", "close") // H1's
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprint(w, r.Method, " ", r.Host, " ", r.RequestURI, " ", string(content), " ", r.Trailer.Get("X-Late"))
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"X-More", "2")
	})
	r, err := http.NewRequest("PUT", s.url("/a?b=c"), io.MultiReader(strings.NewReader("content")))
	must(t, err)
	r.Host, r.Trailer = "shop.example.com", http.Header{"X-Late": {"late"}}
	resp, err := s.client().Do(r)
	must(t, err)
	content, err := io.ReadAll(resp.Body)
	must(t, err)
	if got, want := string(content), "PUT shop.example.com /a?b=c content late"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if resp.StatusCode != http.StatusTeapot || len(resp.Header["X-Two"]) != 2 || resp.Header.Get("Date") == "" || resp.Header["Connection"] != nil {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if resp.Trailer.Get("X-Sum") != "1" || resp.Trailer.Get("X-More") != "2" {
		t.Errorf("trailers %v", resp.Trailer)
	}
}

// A small answer is HEADERS, and DATA with the end.
func TestSmallAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "small") })
	c := s.dial()
	c.open(1, true, "GET")
	h := next[*http2.MetaHeadersFrame](c)
	if h.StreamEnded() || h.PseudoValue("status") != "200" {
		t.Errorf("%v", h)
	}
	f, err := c.ReadFrame()
	must(t, err)
	if d, ok := f.(*http2.DataFrame); !ok || string(d.Data()) != "small" || !d.StreamEnded() {
		t.Errorf("%v behind it", f)
	}
}

func TestInformationalAnswers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	})
	early := 0
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
		if status == http.StatusEarlyHints && h.Get("Link") == "</a>" {
			early++
		}
		return nil
	}}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", s.url("/"), nil)
	must(t, err)
	resp, err := s.client().Do(r)
	must(t, err)
	if resp.StatusCode != http.StatusNoContent || early != 1 || resp.ContentLength > 0 {
		t.Errorf("%d after %d early hints", resp.StatusCode, early)
	}
}

func TestHead(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) })
	c := s.dial()
	c.open(1, true, "HEAD")
	if h := next[*http2.MetaHeadersFrame](c); !h.StreamEnded() || !strings.Contains(fmt.Sprint(h.Fields), `"content-length" = "100"`) {
		t.Errorf("%v", h.Fields)
	}
}

// Contents of every size come whole, of many streams at a time, both ways.
func TestManyStreams(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	client := s.client()
	var all sync.WaitGroup
	for _, size := range []int{0, 1, 4 << 10, 5000, 16 << 10, 100_000, 3 << 20} {
		for i := range 5 {
			all.Go(func() {
				content := bytes.Repeat([]byte{byte('a' + i)}, size)
				resp, err := client.Post(s.url("/"), "text/plain", bytes.NewReader(content))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d of %d octets, %v", len(got), size, err)
				}
			})
		}
	}
	all.Wait()
}

// The client's windows hold for what handlers write, and changes of them.
func TestWindows(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 30_000)) })
	c := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	c.open(1, true, "GET")
	got := func() int { return len(next[*http2.DataFrame](c).Data()) }
	if n := got(); n != 1000 {
		t.Errorf("%d octets, want 1000", n)
	}
	must(t, c.WriteWindowUpdate(1, 500))
	if n := got(); n != 500 {
		t.Errorf("%d octets, want 500", n)
	}
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
	must(t, c.WriteWindowUpdate(1, 1100))
	if n := got(); n != 100 {
		t.Errorf("%d octets, want 100: the window was 1000 below zero", n)
	}
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100_000}))
	for left := 30_000 - 1600; left > 0; {
		left -= got()
	}
}

// Handlers share the connection's window, in turn; one that needs none isn't held up by those that wait for it.
func TestWindowIsShared(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 50_000)) })
	c := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	const streams = 20
	for i := range streams {
		c.open(uint32(2*i+1), true, "GET")
	}
	left := streams * 50_000
	read := func(window int) {
		for window > 0 && left > 0 {
			n := len(next[*http2.DataFrame](c).Data())
			window, left = window-n, left-n
		}
	}
	read(65_535)
	c.open(101, true, "HEAD")
	for id := uint32(0); id != 101; {
		id = next[*http2.MetaHeadersFrame](c).StreamID
	}
	for left > 0 {
		must(t, c.WriteWindowUpdate(0, 10_000))
		read(10_000)
	}
}

// Many handlers that write at a time fill the connection; each gets its turn, and requests are read all the while.
func TestManyWriters(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 40 {
			_, _ = w.Write(make([]byte, 30_000))
		}
	})
	c := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	must(t, c.WriteWindowUpdate(0, 1<<30))
	const streams = 30
	for i := range streams {
		c.open(uint32(2*i+1), true, "GET")
	}
	must(t, c.WritePing(false, [8]byte{1}))
	got, pinged := map[uint32]int{}, false
	for ended := 0; ended < streams; {
		f, err := c.ReadFrame()
		must(t, err)
		switch f := f.(type) {
		case *http2.DataFrame:
			if got[f.StreamID] += len(f.Data()); f.StreamEnded() {
				ended++
			}
		case *http2.PingFrame:
			pinged = true
		}
	}
	for id, n := range got {
		if n != 40*30_000 {
			t.Errorf("stream %d: %d octets", id, n)
		}
	}
	if !pinged {
		t.Error("PING wasn't answered")
	}
}

// What is read, passed over, or padding, may be sent anew.
func TestUploadsAreCredited(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"read":    func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) },
		"closed":  func(_ http.ResponseWriter, r *http.Request) { _ = r.Body.Close(); <-r.Context().Done() },
		"nothing": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, h).dial()
			c.open(1, false, "PUT")
			const window, piece = 1 << 20, 16_000
			go func() {
				for sent := 0; sent < window; sent += piece + 101 {
					if c.WriteDataPadded(1, false, make([]byte, piece), make([]byte, 100)) != nil {
						return
					}
				}
			}()
			for more := uint32(0); more < window*3/4; {
				f := next[*http2.WindowUpdateFrame](c)
				if f.StreamID == 0 {
					more += f.Increment
				}
			}
		})
	}
}

func TestMoreThanTheWindow(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-hold })
	defer close(hold)
	c := s.dial()
	c.open(1, false, "PUT")
	go func() {
		for range 70 {
			if c.WriteData(1, false, make([]byte, 16<<10)) != nil {
				return
			}
		}
	}()
	c.ends(http2.ErrCodeFlowControl)
}

// A handler that has answered doesn't wait for the rest of the request, and the connection goes on.
func TestAnswerBeforeTheEnd(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := s.dial()
	c.open(1, false, "PUT")
	if status := c.status(); status != "200" {
		t.Error(status)
	}
	c.resets(1, http2.ErrCodeNo)
	must(t, errors.Join(c.WriteData(1, false, []byte("late")), c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, EndStream: true, EndHeaders: true, BlockFragment: block("", "x-late", "1"),
	})))
	c.open(3, true, "GET")
	if status := c.status(); status != "200" {
		t.Error(status)
	}
}

// What is malformed ends the stream alone.
func TestMalformedRequests(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	c := s.dial()
	id := uint32(1)
	f := func(what func(), code http2.ErrCode) {
		t.Helper()
		what()
		c.resets(id, code)
		id += 2
	}
	f(func() { c.open(id, true, "GET", "X-Upper", "1") }, http2.ErrCodeProtocol)
	f(func() { c.open(id, true, "GET", "content-length", "1") }, http2.ErrCodeProtocol)
	f(func() { c.open(id, true, "GET", ":late", "1") }, http2.ErrCodeProtocol)
	f(func() { c.open(id, true, "GET", "host", "other.example.com") }, http2.ErrCodeProtocol)
	f(func() {
		c.open(id, false, "PUT", "content-length", "2")
		must(t, c.WriteData(id, true, []byte("x")))
	}, http2.ErrCodeProtocol)
	f(func() {
		c.open(id, false, "PUT", "content-length", "2")
		must(t, c.WriteData(id, false, []byte("xyz")))
	}, http2.ErrCodeProtocol)
	f(func() {
		c.open(id, false, "PUT")
		must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, BlockFragment: block("", "x-late", "1")}))
	}, http2.ErrCodeProtocol)
	f(func() {
		c.open(id, false, "PUT")
		must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: block("", "content-length", "1")}))
	}, http2.ErrCodeProtocol)
	f(func() {
		c.open(id, false, "PUT")
		must(t, c.WriteWindowUpdate(id, 1<<31-1))
	}, http2.ErrCodeFlowControl)
	c.open(id, true, "GET")
	if status := c.status(); status != "200" {
		t.Error(status)
	}
}

// Whatever octet is in a path, the stream is answered or reset, and the next one is answered.
func TestOctetsOfPaths(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := s.dial()
	id := uint32(1)
	for o := range 256 {
		must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: block("",
			":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/"+string([]byte{byte(o)}))}))
		if o <= ' ' || o == 0x7f || o == '%' {
			c.resets(id, http2.ErrCodeProtocol)
		} else if status := c.status(); status != "200" {
			t.Errorf("%#x: %s", o, status)
		}
		id += 2
	}
}

// A client may have so many streams open, and no more.
func TestRefusedStreams(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-hold }, func(s *h2.Server) { s.Streams = 2 })
	c := s.dial()
	for _, id := range []uint32{1, 3, 5} {
		c.open(id, true, "GET")
	}
	c.resets(5, http2.ErrCodeRefusedStream)
	close(hold)
	for range 2 {
		if status := c.status(); status != "200" {
			t.Error(status)
		}
	}
	c.open(7, true, "GET")
	if status := c.status(); status != "200" {
		t.Error(status)
	}
}

// Requests end with the server's context, those that come afterwards at once.
func TestServersContext(t *testing.T) {
	ctx, end := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
	began := make(chan struct{}, 8)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		child, stop := context.WithCancel(r.Context())
		defer stop()
		<-child.Done()
		if child.Value(key{}) != "value" {
			t.Error("the server's values are lost")
		}
	}, func(s *h2.Server) { s.Context = ctx })
	c := s.dial()
	for _, id := range []uint32{1, 3} {
		c.open(id, true, "GET")
		<-began
	}
	end()
	c.open(5, true, "GET")
	for range 3 {
		if status := c.status(); status != "200" {
			t.Error(status)
		}
	}
}

// A handler that gives up, or panics, ends its stream.
func TestBrokenOff(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("How") {
		case "abort":
			panic(http.ErrAbortHandler)
		case "short":
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "x")
		case "late":
			w.(http.Flusher).Flush()
			panic("late")
		}
	})
	c := s.dial()
	for i, how := range []string{"abort", "short", "late"} {
		id := uint32(2*i + 1)
		c.open(id, true, "GET", "how", how)
		c.resets(id, http2.ErrCodeInternal)
	}
}

// A reset ends the request's context, its reads and its writes.
func TestReset(t *testing.T) {
	ended := make(chan error, 2)
	began := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		_, err := r.Body.Read(make([]byte, 1))
		ended <- err
		ended <- http.NewResponseController(w).Flush()
	})
	c := s.dial()
	c.open(1, false, "PUT")
	<-began
	must(t, c.WriteRSTStream(1, http2.ErrCodeCancel))
	for range 2 {
		if err := <-ended; err == nil || errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}

// Deadlines end reads and writes that wait, and only those.
func TestDeadlines(t *testing.T) {
	got := make(chan error, 4)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := r.Body.Read(make([]byte, 1))
		got <- err
		_ = control.SetReadDeadline(time.Time{})
		stop := time.AfterFunc(10*time.Millisecond, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
		defer stop.Stop()
		_, err = r.Body.Read(make([]byte, 1))
		got <- err
		_ = control.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, err = w.Write(make([]byte, 100_000))
		got <- err
	})
	c := s.dial()
	c.open(1, false, "PUT")
	for range 3 {
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	}
	c.resets(1, http2.ErrCodeInternal)
}

// After GOAWAY what is under way ends, and what comes isn't begun.
func TestLeave(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { <-hold; _, _ = io.WriteString(w, "done") })
	c := s.dial()
	c.open(1, true, "GET")
	must(t, c.WritePing(false, [8]byte{1}))
	next[*http2.PingFrame](c)
	served := <-s.conns
	served.Leave()
	served.Leave()
	if last := c.ends(http2.ErrCodeNo); last != 1 {
		t.Errorf("the last stream is %d", last)
	}
	c.open(3, false, "PUT")
	must(t, c.WriteData(3, true, []byte("x")))
	must(t, c.WritePing(false, [8]byte{2}))
	next[*http2.PingFrame](c)
	close(hold)
	if d := next[*http2.DataFrame](c); d.StreamID != 1 || string(d.Data()) != "done" {
		t.Errorf("%v", d)
	}
	if f, err := c.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v behind the last answer", f, err)
	}
}

// A connection that is to end before it begins does.
func TestLeaveAtOnce(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *h2.Server) { s.IdleTimeout = time.Hour })
	s.leaves.Store(true)
	c := s.dial()
	c.ends(http2.ErrCodeNo)
	if f, err := c.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v", f, err)
	}
}

// A client that takes nothing is cut off, and its handlers end.
func TestClientThatTakesNothing(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				ended <- err
				return
			}
		}
	}, func(s *h2.Server) { s.SendIdle = 100 * time.Millisecond })
	c := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	must(t, c.WriteWindowUpdate(0, 1<<30))
	c.open(1, true, "GET")
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
}

// A client that leaves a stream no window loses that stream alone, and the handler learns why.
func TestClientThatGivesNoWindow(t *testing.T) {
	type pacer interface{ Stalled() bool }
	stalled := make(chan bool, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, err := w.Write(make([]byte, 64<<10))
			stalled <- errors.Is(err, os.ErrDeadlineExceeded) && w.(pacer).Stalled()
			panic(http.ErrAbortHandler)
		}
	}, func(s *h2.Server) { s.SendIdle = 100 * time.Millisecond })
	c := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 10})
	c.open(1, true, "GET")
	if !<-stalled {
		t.Error("it isn't told that the client stalls")
	}
	c.resets(1, http2.ErrCodeInternal)
	c.open(3, true, "DELETE")
	if status := c.status(); status != "200" {
		t.Error(status)
	}
}

// An idle connection is closed, with a word; what isn't a request doesn't keep it.
func TestIdle(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *h2.Server) { s.IdleTimeout = 50 * time.Millisecond })
	c := s.dial()
	go func() {
		for c.WritePing(false, [8]byte{}) == nil {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	c.ends(http2.ErrCodeNo)
}

// A header section far above the limit is answered, and never kept.
func TestTooLarge(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it reaches the handler") }, func(s *h2.Server) { s.Header = 1 << 10 })
	c := s.dial()
	var fields []string
	for range 40 {
		fields = append(fields, "x", "y")
	}
	c.open(1, true, "GET", fields...)
	if status := c.status(); status != "431" {
		t.Error(status)
	}
	c.open(3, false, "PUT", fields...)
	if status := c.status(); status != "431" {
		t.Error(status)
	}
	c.resets(3, http2.ErrCodeNo)
}

func TestBreaches(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	for name, tt := range map[string]struct {
		send func(c *conn) error
		code http2.ErrCode
	}{
		"DATA of nothing":          {func(c *conn) error { return c.WriteData(1, true, nil) }, http2.ErrCodeProtocol},
		"a window of nothing":      {func(c *conn) error { return c.WriteWindowUpdate(5, 1) }, http2.ErrCodeProtocol},
		"an even stream":           {func(c *conn) error { c.open(2, true, "GET"); return nil }, http2.ErrCodeProtocol},
		"a push":                   {func(c *conn) error { return c.WriteRawFrame(http2.FramePushPromise, 4, 1, make([]byte, 4)) }, http2.ErrCodeProtocol},
		"SETTINGS of a stream":     {func(c *conn) error { return c.WriteRawFrame(http2.FrameSettings, 0, 1, nil) }, http2.ErrCodeProtocol},
		"SETTINGS without its end": {func(c *conn) error { return c.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 5)) }, http2.ErrCodeFrameSize},
		"a short PING":             {func(c *conn) error { return c.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 7)) }, http2.ErrCodeFrameSize},
		"a window above all": {func(c *conn) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}, http2.ErrCodeFlowControl},
		"an idle stream that depends on itself": {func(c *conn) error { return c.WritePriority(5, http2.PriorityParam{StreamDep: 5}) }, http2.ErrCodeProtocol},
		"a short PRIORITY of an idle stream":    {func(c *conn) error { return c.WriteRawFrame(http2.FramePriority, 0, 5, make([]byte, 4)) }, http2.ErrCodeFrameSize},
		"padding above all":                     {func(c *conn) error { return c.WriteRawFrame(http2.FrameHeaders, 0x8|0x4, 1, []byte{5, 0x82}) }, http2.ErrCodeProtocol},
		"no fields":                             {func(c *conn) error { return c.WriteRawFrame(http2.FrameHeaders, 0x4, 1, []byte{0xff}) }, http2.ErrCodeCompression},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			must(t, tt.send(c))
			c.ends(tt.code)
			<-s.conns
		})
	}
}

func TestNoPreface(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	c, err := tls.Dial("tcp", s.addr, s.tls())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
