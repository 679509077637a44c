package origin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/origin"
)

// never keeps servers from being ejected, and has budget enough, so that retries alone are seen.
func never(o *origin.Options) { o.Ejection.Failures, o.Retry.Budget = 0, 1 }

// counted is a server that counts its requests and closes after each without a response.
func counted(t *testing.T) (string, *atomic.Int32) {
	t.Helper()
	n := new(atomic.Int32)
	return serveRaw(t, func(c net.Conn) { readHeader(c); n.Add(1) }), n
}

func TestRetryOnAnotherServer(t *testing.T) {
	good := serve(t, describe)
	for name, bad := range map[string]string{"refuses": refused(t), "closes": serveRaw(t, readHeader)} {
		b := open(t, never, bad, good.URL)
		for range 30 {
			b.must(t, get(t))
		}
		good, failed := 0, 0
		for _, f := range b.allFills() {
			if f.OK {
				good++
			} else {
				failed++
			}
		}
		if good != 30 || failed == 0 {
			t.Errorf("%s: %d good fills and %d failed ones reported, want 30 and some", name, good, failed)
		}
	}
}

func TestWhatIsSentAgain(t *testing.T) {
	for _, c := range []struct {
		name, method string
		content      io.Reader
		replay       bool // the content can be had again
		tries        int32
	}{
		{"GET", http.MethodGet, nil, false, 3},
		{"DELETE", http.MethodDelete, nil, false, 3},
		{"POST", http.MethodPost, nil, false, 1},
		{"PATCH", http.MethodPatch, nil, false, 1},
		{"unknown method", "REPORT", nil, false, 1},
		{"PUT with a content", http.MethodPut, strings.NewReader("content"), false, 3},
		{"PUT with a large content", http.MethodPut, strings.NewReader(strings.Repeat("content ", 4<<10)), false, 1},
		{"POST with a content", http.MethodPost, strings.NewReader("content"), false, 1},
		{"PUT with a content that can be had again", http.MethodPut, strings.NewReader("content"), true, 3},
		{"POST with a content that can be had again", http.MethodPost, strings.NewReader("content"), true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, tries := counted(t)
			b := open(t, never, server)
			r := request(t, c.method, c.content)
			if c.replay {
				r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("content")), nil }
			}
			_, _, err := b.fetch(r)
			wantError(t, err, origin.ConnectionTerminated, 502)
			if n := tries.Load(); n != c.tries {
				t.Errorf("sent %d times, want %d", n, c.tries)
			}
		})
	}
}

// A server that can't be connected to has seen nothing: even a POST goes to another, with its whole content.
func TestPostThatWasNotSent(t *testing.T) {
	good := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	b := open(t, never, refused(t), good.URL)
	for range 30 {
		if _, got := b.must(t, request(t, http.MethodPost, strings.NewReader("content"))); got != "content" {
			t.Errorf("the server got %q", got)
		}
	}
	if len(b.events("retried")) == 0 {
		t.Error("30 requests met no failure: the test shows nothing")
	}
}

func TestReplayedContent(t *testing.T) {
	good := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	b := open(t, never, serveRaw(t, readHeader), good.URL)
	for range 30 {
		r := request(t, http.MethodPut, strings.NewReader("content"))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("content")), nil }
		if _, got := b.must(t, r); got != "content" {
			t.Errorf("the server got %q", got)
		}
	}
}

// With a dead origin, what is sent again is at most the budget: a fifth of the requests here.
func TestRetryBudget(t *testing.T) {
	server, tries := counted(t)
	b := open(t, func(o *origin.Options) { never(o); o.Retry = origin.RetryOptions{Max: 5, Budget: 0.2} }, server)
	const requests = 200
	for range requests {
		if _, _, err := b.fetch(get(t)); err == nil {
			t.Fatal("a dead origin answered")
		}
	}
	retries := tries.Load() - requests
	if retries < 10 || retries > requests/5 {
		t.Errorf("%d requests were sent again %d times, want 10 to %d", requests, retries, requests/5)
	}
}

func TestNoBudgetStillRetriesABit(t *testing.T) {
	server, tries := counted(t)
	b := open(t, func(o *origin.Options) { never(o); o.Retry = origin.RetryOptions{Max: 1, Budget: 0} }, server)
	for range 30 {
		_, _, _ = b.fetch(get(t))
	}
	if n := tries.Load() - 30; n != 10 {
		t.Errorf("%d retries, want the 10 that are always allowed", n)
	}
}

func TestResponsesAreNotRetried(t *testing.T) {
	var requests atomic.Int32
	b := open(t, never, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	}).URL)
	b.must(t, get(t))
	if n := requests.Load(); n != 1 {
		t.Errorf("a 503 was asked for %d times", n)
	}
}

func TestNoRetryForAClientThatLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var tries atomic.Int32
	b := open(t, never, serveRaw(t, func(c net.Conn) { readHeader(c); tries.Add(1); cancel(); untilClosed(c) }))
	if _, _, err := b.fetch(get(t).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := tries.Load(); n != 1 {
		t.Errorf("tried %d times", n)
	}
}

// A server that closed an idle connection is no failure: a new connection is taken, and no retry is counted.
func TestStaleIdleConnection(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "content") }))
	defer s.Close()
	b := open(t, never, s.URL)
	for range 30 {
		if _, got := b.must(t, get(t)); got != "content" {
			t.Errorf("got %q", got)
		}
		s.CloseClientConnections()
	}
	for _, f := range b.allFills() {
		if !f.OK {
			t.Errorf("reported %+v", f)
		}
	}
	if retried := b.events("retried"); len(retried) != 0 {
		t.Errorf("counted as retries: %v", retried)
	}
}

// stale is a server that closes its first connection after one answer, unless closes does with the next request, and
// answers with what it got on others. Its second result is closed when the client has closed the first connection, too.
func stale(t *testing.T, closes func(net.Conn)) (string, <-chan struct{}) {
	t.Helper()
	var connections atomic.Int32
	over := make(chan struct{})
	return serveRaw(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		if connections.Add(1) == 1 {
			defer close(over)
			if echo(c, in) == nil {
				closes(c)
			}
			return
		}
		for echo(c, in) == nil {
		}
	}), over
}

// echo answers one request with its content.
func echo(c net.Conn, in *bufio.Reader) error {
	r, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
	return err
}

// again lets r's content be had again.
func again(r *http.Request) *http.Request {
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("content")), nil }
	return r
}

// Once it is known that a server has closed an idle connection, no request meets it, whatever its method and content.
func TestConnectionClosedWhileIdle(t *testing.T) {
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		t.Run(method, func(t *testing.T) {
			server, over := stale(t, func(c net.Conn) {
				_ = c.(*net.TCPConn).CloseWrite()
				untilClosed(c)
			})
			b := open(t, never, server)
			b.must(t, request(t, http.MethodPut, strings.NewReader("first")))
			<-over
			if _, got := b.must(t, request(t, method, strings.NewReader("content"))); got != "content" {
				t.Errorf("the server got %q", got)
			}
			if retried := b.events("retried"); len(retried) != 0 {
				t.Errorf("counted as retries: %v", retried)
			}
		})
	}
}

// A server that closes an idle connection just as it is asked again has perhaps seen the request. So it is sent again, whole,
// where doing it twice is doing it once, by h1 for a GET, else as a retry, if its content can be had again or is short;
// otherwise the client hears why it failed.
func TestConnectionClosedAsItIsAsked(t *testing.T) {
	for _, c := range []struct {
		name, method string
		content      bool
		replay       bool // the content can be had again
		survives     bool
		retries      int
	}{
		{"GET", http.MethodGet, false, false, true, 0},
		{"DELETE", http.MethodDelete, false, false, true, 1},
		{"PUT with a content that can be had again", http.MethodPut, true, true, true, 1},
		{"PUT", http.MethodPut, true, false, true, 1},
		{"POST", http.MethodPost, true, false, false, 0},
		{"POST with a content that can be had again", http.MethodPost, true, true, false, 0},
		{"POST without content", http.MethodPost, false, false, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, _ := stale(t, readHeader)
			b := open(t, never, server)
			// What warms the connection goes the same way: requests without content have connections of their own.
			newRequest := func() *http.Request {
				if !c.content {
					return request(t, c.method, nil)
				}
				r := request(t, c.method, strings.NewReader("content"))
				if c.replay {
					again(r)
				}
				return r
			}
			b.must(t, newRequest())
			_, got, err := b.fetch(newRequest())
			switch {
			case !c.survives:
				wantError(t, err, origin.ConnectionTerminated, 502)
			case err != nil:
				t.Error(err)
			case c.content && got != "content":
				t.Errorf("the server got %q", got)
			}
			if retried := b.events("retried"); len(retried) != c.retries {
				t.Errorf("counted as retries: %v, want %d", retried, c.retries)
			}
		})
	}
}

// A stream that the server refused wasn't processed (RFC 9113 §8.7): net/http sends it again by itself, a POST with a
// content too, whether that wasn't read yet or was.
func TestRefusedStream(t *testing.T) {
	for name, refusedAt := range map[string]http2.FrameType{"HEADERS": http2.FrameHeaders, "DATA": http2.FrameData} {
		t.Run(name, func(t *testing.T) {
			var refused atomic.Bool // net/http comes back over a new connection
			server := serveRaw(t, func(c net.Conn) {
				preface := make([]byte, len(http2.ClientPreface))
				_, _ = io.ReadFull(c, preface)
				f := http2.NewFramer(c, c)
				_ = f.WriteSettings()
				var content []byte
				for {
					frame, err := f.ReadFrame()
					if err != nil {
						return
					}
					id := frame.Header().StreamID
					if frame.Header().Type == refusedAt && refused.CompareAndSwap(false, true) {
						_ = f.WriteRSTStream(id, http2.ErrCodeRefusedStream)
						content = nil
						continue
					}
					data, ok := frame.(*http2.DataFrame)
					if !ok {
						continue
					}
					if content = append(content, data.Data()...); data.StreamEnded() {
						_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}, EndHeaders: true}) // hpack: :status 200
						_ = f.WriteData(id, true, content)
					}
				}
			})
			b := open(t, func(o *origin.Options) { never(o); o.H2C = true; o.Retry.Max = 0 }, server)
			r := request(t, http.MethodPost, strings.NewReader("content"))
			if refusedAt == http2.FrameHeaders {
				r.Header.Set("Expect", "100-continue") // so that the content isn't read before the server refuses
			}
			if _, got := b.must(t, r); got != "content" {
				t.Errorf("the server got %q", got)
			}
		})
	}
}

// Where no other server has a place, the client hears why its request failed.
func TestNoPlaceToTryAgain(t *testing.T) {
	b := open(t, func(o *origin.Options) {
		never(o)
		o.Concurrency.Max, o.Concurrency.Queue = 1, 0
	}, refused(t), serve(t, describe).URL)
	held, err := b.RoundTrip(get(t)) // after a retry, if need be
	if err != nil {
		t.Fatal(err)
	}
	defer held.Body.Close()
	_, _, err = b.fetch(get(t))
	wantError(t, err, origin.ConnectionRefused, 502)
}
