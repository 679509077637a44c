package admission_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/admission"
)

// serve runs h behind l on a real server; over H2 as well.
func (l *limiter) serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(l.Handler(h, l.refuse))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// readAll answers with what reading the content brought.
func readAll(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	var limit *admission.Error
	if errors.As(err, &limit) {
		http.Error(w, string(limit.Reason), limit.Status)
		return
	}
	_, _ = w.Write(bytes.ToUpper(content))
}

func TestContentSize(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.Content = 10 })
	s := l.serve(t, readAll)
	f := func(content io.Reader, status int) {
		t.Helper()
		resp, err := s.Client().Post(s.URL, "", content)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%d, want %d", resp.StatusCode, status)
		}
	}
	streamed := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) } // of unknown length
	f(strings.NewReader("0123456789"), 200)
	f(streamed("0123456789"), 200)
	f(strings.NewReader(""), 200)
	f(strings.NewReader("0123456789x"), 413)
	f(streamed("0123456789x"), 413)
	f(streamed(strings.Repeat("x", 1<<20)), 413)
	if n := l.refused(t, admission.ReasonContent); n != 3 {
		t.Errorf("%v refusals counted", n)
	}
	l.Configure(options(func(o *admission.Options) { o.Content = 0 }))
	f(strings.NewReader(strings.Repeat("x", 1<<20)), 200)
}

func TestContentIdle(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.ContentIdle = 200 * time.Millisecond })
	s := l.serve(t, readAll)
	for _, version := range []string{"http/1.1", "h2"} {
		client := s.Client()
		client.Transport.(*http.Transport).ForceAttemptHTTP2 = version == "h2"
		content, write := io.Pipe()
		go func() { // slow, but never idle for long: ends with the last octet
			for range 6 {
				_, _ = io.WriteString(write, "x")
				time.Sleep(50 * time.Millisecond)
			}
			_ = write.Close()
		}()
		resp, err := client.Post(s.URL, "", content)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: a slow content: %v %v", version, resp, err)
		}
		resp.Body.Close()
	}
	conn := dial(t, s)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12")
	if answer, _ := io.ReadAll(conn); !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("a content that stands still: %q", answer)
	}
	if n := l.refused(t, admission.ReasonContentIdle); n != 1 {
		t.Errorf("%v refusals counted", n)
	}
}

// TestIdleEndsWithTheResponse lets a request's content rest once the response has begun, as bidirectional streams do.
func TestIdleEndsWithTheResponse(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.ContentIdle = 50 * time.Millisecond })
	s := l.serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_ = http.NewResponseController(w).Flush()
		readAll(w, r)
	})
	conn := dial(t, s)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12")
	time.Sleep(150 * time.Millisecond) // longer than the limit: what is tested is that nothing happens
	_, _ = io.WriteString(conn, "abc")
	if answer, _ := io.ReadAll(conn); !strings.Contains(string(answer), "12ABC") {
		t.Errorf("%q", answer)
	}
}

// TestKeepAliveAfterContent checks that the deadlines of one request don't cut the next one, or a long response.
func TestKeepAliveAfterContent(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.ContentIdle, o.SendIdle = 50*time.Millisecond, 50*time.Millisecond })
	s := l.serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(100 * time.Millisecond)
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request was cut: %v", err)
		}
		_, _ = io.WriteString(w, "done")
	})
	conn := dial(t, s)
	for range 2 {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n12")
		answer := make([]byte, 512)
		n, err := conn.Read(answer)
		if !strings.Contains(string(answer[:n]), "200 OK") {
			t.Fatalf("%q, %v", answer[:n], err)
		}
		time.Sleep(100 * time.Millisecond) // past both deadlines, idle
	}
}

func TestSendIdle(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.SendIdle = 100 * time.Millisecond })
	ended := make(chan error, 1)
	s := l.serve(t, func(w http.ResponseWriter, r *http.Request) {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
		ended <- err
	})
	for i, open := range []func(){
		func() { _, _ = io.WriteString(dial(t, s), "GET / HTTP/1.1\r\nHost: a\r\n\r\n") },
		func() {
			client := s.Client()
			resp, err := client.Get(s.URL) // H2, and nobody reads
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
		},
	} {
		open()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatalf("client %d that takes nothing is not cut off", i)
		}
		if n := l.refused(t, admission.ReasonSendIdle); n != float64(i+1) {
			t.Errorf("%v cuts counted, want %d", n, i+1)
		}
	}
}

// paced is a server's writer that may cut clients off by itself.
type paced struct {
	*httptest.ResponseRecorder
	idle      time.Duration
	deadlines int
}

func (p *paced) Write([]byte) (int, error)        { return 0, os.ErrDeadlineExceeded }
func (p *paced) SendIdle() time.Duration          { return p.idle }
func (p *paced) Stalled() bool                    { return true }
func (p *paced) SetWriteDeadline(time.Time) error { p.deadlines++; return nil }

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestPaced: who cuts clients off after the same time is left to it, and asked whether it has.
func TestPaced(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.SendIdle = time.Hour })
	for idle, cuts := range map[time.Duration]float64{time.Hour: 1, time.Minute: 0} {
		w := &paced{ResponseRecorder: httptest.NewRecorder(), idle: idle}
		before := l.refused(t, admission.ReasonSendIdle)
		l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) }), l.refuse).
			ServeHTTP(wrapped{w}, httptest.NewRequest("GET", "https://example.com/", nil))
		if own := cuts == 1; (w.deadlines == 0) != own {
			t.Errorf("%d deadlines over one of %v", w.deadlines, idle)
		}
		if n := l.refused(t, admission.ReasonSendIdle) - before; n != cuts {
			t.Errorf("%v cuts counted over one of %v", n, idle)
		}
	}
}

// TestSlowReaderIsNotCut takes a little at a time, each within the limit, for longer than the limit.
func TestSlowReaderIsNotCut(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.SendIdle = 300 * time.Millisecond })
	const size = 24 << 20
	s := l.serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, size)) }) // one call
	conn := dial(t, s)
	_ = conn.NetConn().(*net.TCPConn).SetReadBuffer(64 << 10)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	got := int64(0)
	for range 24 {
		n, err := io.CopyN(io.Discard, conn, 1<<20)
		got += n
		if err != nil {
			t.Fatalf("cut off after %d octets: %v", got, err)
		}
		time.Sleep(40 * time.Millisecond)
	}
	if n, _ := io.Copy(io.Discard, conn); got+n < size {
		t.Errorf("%d octets", got+n)
	}
}

func TestWrappingHidesNothing(t *testing.T) {
	l := newLimiter(func(o *admission.Options) {})
	s := l.serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Flusher); !ok {
			t.Error("no http.Flusher")
		}
		w.WriteHeader(http.StatusEarlyHints)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	})
	conn := dial(t, s)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, _ := io.ReadAll(conn); !strings.HasPrefix(string(answer), "HTTP/1.1 103 ") {
		t.Errorf("%q", answer)
	}
}

// dial opens an H1 connection to s.
func dial(t *testing.T, s *httptest.Server) *tls.Conn {
	t.Helper()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", s.Listener.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}
