package h3_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy/h3"
)

func request(t *testing.T, method, path string, content io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://example.com"+path, content)
	must(t, err)
	return r
}

// After GOAWAY what came is answered, and what comes is refused as something that wasn't looked at.
func TestLeave(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-end
		_, _ = io.WriteString(w, "done")
	})
	c := s.dial()
	first := ask(t, c, get(), true)
	<-begun
	conn := <-s.conns
	conn.Leave()
	conn.Leave()
	var reset *quic.StreamError
	if _, err := io.ReadAll(ask(t, c, get(), true)); !errors.As(err, &reset) || reset.ErrorCode != 0x10b {
		t.Errorf("error %v, want H3_REQUEST_REJECTED", err)
	}
	close(end)
	if b, err := io.ReadAll(first); err != nil || !strings.HasSuffix(string(b), "done") {
		t.Errorf("%q, %v", b, err)
	}
	u, err := c.AcceptUniStream(t.Context())
	must(t, err)
	b := make([]byte, 64)
	n := 0
	for !strings.HasSuffix(string(b[:n]), "\x07\x01\x04") { // GOAWAY 4
		m, err := u.Read(b[n:])
		must(t, err)
		n += m
	}
}

func TestLeaveBeforeServe(t *testing.T) {
	left := make(chan struct{})
	s := serve(t, nil, func(c *h3.Config) {
		c.Begin = func() { t.Error("a request is served") }
	}, func(*h3.Config) { close(left) })
	c := s.dial()
	<-left
	(<-s.conns).Leave()
	var reset *quic.StreamError
	if _, err := io.ReadAll(ask(t, c, get(), true)); !errors.As(err, &reset) || reset.ErrorCode != 0x10b {
		t.Errorf("error %v, want H3_REQUEST_REJECTED", err)
	}
}

// A connection without a request ends at the idle timeout, whatever else the client sends.
func TestIdleTimeout(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, func(c *h3.Config) { c.IdleTimeout = 100 * time.Millisecond })
	c := s.dial()
	for range 3 {
		_, err := io.ReadAll(ask(t, c, get(), true))
		must(t, err)
	}
	if got := connectionError(t, c); got != 0x100 {
		t.Errorf("code %#x, want H3_NO_ERROR", got)
	}
}

func TestNotIdleWhileAnswering(t *testing.T) {
	const idle = 50 * time.Millisecond
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(4 * idle) // there is nothing to wait for: it must not end
		_, _ = io.WriteString(w, "done")
	}, func(c *h3.Config) { c.IdleTimeout = idle })
	if b, err := io.ReadAll(ask(t, s.dial(), get(), true)); err != nil || !strings.HasSuffix(string(b), "done") {
		t.Errorf("%q, %v", b, err)
	}
}

// A header section that doesn't come whole in time ends its request.
func TestHeaderTimeout(t *testing.T) {
	s := serve(t, nil, func(c *h3.Config) { c.HeaderTimeout = 50 * time.Millisecond })
	for _, begun := range []string{"\x01", get()[:10]} {
		var reset *quic.StreamError
		if _, err := io.ReadAll(ask(t, s.dial(), begun, false)); !errors.As(err, &reset) || reset.ErrorCode != 0x10d {
			t.Errorf("error %v, want H3_REQUEST_INCOMPLETE", err)
		}
	}
}

// The credit for streams is given back, whatever became of them.
func TestManyRequests(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.Copy(w, r.Body)
	})
	c := s.client()
	for i := range 60 { // of which 8 at a time
		method, path := "GET", []string{"/", "/panic", "/"}[i%3]
		r := request(t, method, path, nil)
		if i%3 == 2 {
			r = request(t, "POST", path, strings.NewReader(strings.Repeat("x", i*1000)))
		}
		resp, err := c.RoundTrip(r)
		if (err != nil) != (path == "/panic") {
			t.Fatalf("%d: %v", i, err)
		}
		if err == nil {
			n, err := io.Copy(io.Discard, resp.Body)
			if err != nil || i%3 == 2 && n != int64(i*1000) {
				t.Fatalf("%d: %d octets, %v", i, n, err)
			}
		}
	}
}

// Answers that are whole at the same time, of which few fit in what the client takes at first: each arrives, and none waits for
// one whose content nobody reads yet.
func TestAnswersAtATime(t *testing.T) {
	const streams = 8
	size := func(i int) int { return i * 900 } // of which the first are held to their end, the last not
	var came sync.WaitGroup
	came.Add(streams)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.URL.Path[1:]) // the test's own
		came.Done()
		came.Wait()
		_, _ = io.WriteString(w, strings.Repeat("x", size(i)))
	})
	c, err := quic.DialAddr(t.Context(), s.addr, &tls.Config{RootCAs: s.roots, ServerName: "example.com", NextProtos: []string{"h3"}},
		&quic.Config{InitialStreamReceiveWindow: 512, MaxStreamReceiveWindow: 512})
	must(t, err)
	t.Cleanup(func() { _ = c.CloseWithError(0x100, "") })
	h := (&http3.Transport{DisableCompression: true}).NewClientConn(c)
	responses := make([]*http.Response, streams)
	var asking sync.WaitGroup
	for i := range streams {
		asking.Go(func() {
			var err error
			if responses[i], err = h.RoundTrip(request(t, "GET", "/"+strconv.Itoa(i), nil)); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	asking.Wait()
	for i, resp := range responses {
		if resp == nil {
			continue
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != int64(size(i)) {
			t.Errorf("%d: %d octets of %d, %v", i, n, size(i), err)
		}
	}
}

// A request that came whole, its end included, is known to have no content.
func TestNoContent(t *testing.T) {
	got := make(chan *http.Request, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got <- r })
	c := s.dial()
	for range 100 { // the first may come before the handshake is complete, and of any the end by itself
		if b, err := io.ReadAll(ask(t, c, get(), true)); err != nil || len(b) == 0 {
			t.Fatalf("%q, %v", b, err)
		}
		if r := <-got; r.Body == http.NoBody && r.ContentLength == 0 {
			return
		}
	}
	t.Error("none of 100 requests was known to have no content")
}

func TestResponses(t *testing.T) {
	large := strings.Repeat("large ", 20_000)
	handlers := map[string]func(http.ResponseWriter, *http.Request){
		"/nothing": func(http.ResponseWriter, *http.Request) {},
		"/small":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>small") },
		"/large":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, large) },
		"/streamed": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, large)
		},
		"/none": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"/declared": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(201)
			w.WriteHeader(500)
			if _, err := io.WriteString(w, "fivefive"); !errors.Is(err, http.ErrContentLength) {
				t.Errorf("too much: %v", err)
			}
		},
		"/odd-length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "many")
			_, _ = io.WriteString(w, "odd")
		},
		"/forbidden": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(304)
			if _, err := io.WriteString(w, "content"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("content of 304: %v", err)
			}
		},
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { handlers[r.URL.Path](w, r) })
	for path, want := range map[string]struct {
		status    int
		length    int64
		media     string
		content   string
		truncated bool
	}{
		"/nothing":    {status: 200},
		"/small":      {status: 200, length: 11, media: "text/html; charset=utf-8", content: "<html>small"},
		"/large":      {status: 200, length: -1, media: "text/plain; charset=utf-8", content: large},
		"/streamed":   {status: 200, length: -1, content: large},
		"/none":       {status: 204, length: 0},
		"/declared":   {status: 201, length: 5, truncated: true},
		"/odd-length": {status: 200, length: 3, media: "text/plain; charset=utf-8", content: "odd"},
		"/forbidden":  {status: 304, length: 0},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			resp, err := s.client().RoundTrip(request(t, method, path, nil))
			must(t, err)
			b, err := io.ReadAll(resp.Body)
			if method == "HEAD" {
				want.content, want.truncated = "", false
				resp.ContentLength = want.length // which another implementation doesn't tell for HEAD
			}
			if resp.StatusCode != want.status || string(b) != want.content || resp.ContentLength != want.length && want.status != 204 && want.status != 304 || (err != nil) != want.truncated {
				t.Errorf("%s %s: %d, %d octets of %d, %v", method, path, resp.StatusCode, len(b), resp.ContentLength, err)
			}
			if got := resp.Header.Get("Content-Type"); got != want.media && method == "GET" {
				t.Errorf("%s is %q", path, got)
			}
			if (resp.Header.Get("Date") == "") != (path == "/declared") {
				t.Errorf("%s: date %q", path, resp.Header.Get("Date"))
			}
		}
	}
}

func TestInformational(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.Header().Del("Link")
		w.WriteHeader(200)
	})
	var early []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		early = append(early, h.Get("Link"))
		return nil
	}}
	r := request(t, "GET", "/", nil)
	resp, err := s.client().RoundTrip(r.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
	must(t, err)
	if len(early) != 1 || early[0] != "</a>" || resp.StatusCode != 200 || resp.Header.Get("Link") != "" {
		t.Errorf("%v, then %d %v", early, resp.StatusCode, resp.Header)
	}
}

func TestTrailers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, announced := r.Trailer["X-Count"]; !announced {
			t.Error("the trailer isn't announced")
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum, Content-Length")
		w.Header().Set("X-Sum", "before")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", r.Trailer.Get("X-Count"))
		w.Header().Set(http.TrailerPrefix+"X-More", "too")
	})
	r := request(t, "POST", "/", strings.NewReader("content"))
	r.Trailer = http.Header{"X-Count": {"7"}}
	r.ContentLength = -1
	resp, err := s.client().RoundTrip(r)
	must(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(t, err)
	if resp.Header.Get("X-Sum") != "" || resp.Trailer.Get("X-Sum") != "7" || resp.Trailer.Get("X-More") != "too" {
		t.Errorf("fields %v, trailers %v", resp.Header, resp.Trailer)
	}
}

// A handler that gives up leaves nothing that could be taken for a whole answer; what panics is told of.
func TestHandlerGivesUp(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/defect" {
			panic("defect")
		}
		panic(http.ErrAbortHandler)
	})
	for _, path := range []string{"/", "/defect"} {
		resp, err := s.client().RoundTrip(request(t, "GET", path, nil))
		if err != nil {
			continue // the reset came first
		}
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: %q is taken for whole", path, b)
		}
	}
}

// The request's context ends when the client gives up, and has what the connection has.
func TestRequestContext(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	st := ask(t, s.dial(), get(), true)
	st.CancelRead(0x10c)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the context doesn't end")
	}
}

func TestDeadlines(t *testing.T) {
	over := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		must(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		_, err := io.Copy(io.Discard, r.Body)
		if !errors.As(err, new(interface{ Timeout() bool })) {
			t.Errorf("error %v, want a timeout", err)
		}
		must(t, c.SetReadDeadline(time.Time{}))
		close(over)
		b, err := io.ReadAll(r.Body)
		if err != nil || string(b) != "late" {
			t.Errorf("%q, %v", b, err)
		}
		must(t, c.SetWriteDeadline(time.Now().Add(patience)))
		_, _ = io.WriteString(w, "done")
	})
	c := s.dial()
	st := ask(t, c, get(), false)
	<-over
	_, err := io.WriteString(st, frame(0x0, "late"))
	must(t, err)
	must(t, st.Close())
	if b, err := io.ReadAll(st); err != nil || !strings.HasSuffix(string(b), "done") {
		t.Errorf("%q, %v", b, err)
	}
}
