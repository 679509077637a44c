package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy"
)

// fullDuplex echoes line by line, while the request is still coming.
func fullDuplex(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.Header().Set("Content-Type", "text/plain")
	_ = control.Flush()
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		_, _ = fmt.Fprintln(w, "echo", lines.Text())
		_ = control.Flush()
	}
}

func TestBothDirectionsAtOnce(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, serve(t, fullDuplex).URL))
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		if strings.HasPrefix(protocol, "h1") {
			t.Skip("net/http's H1 client ends a request's content when the response begins; see TestBothDirectionsAtOnceOnH1")
		}
		content, write := io.Pipe()
		resp, err := c.Do(e.request(t, "POST", "example.com", "/", content))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answers := bufio.NewReader(resp.Body)
		for _, word := range []string{"one", "two", "three"} {
			_, _ = io.WriteString(write, word+"\n")
			if line, err := answers.ReadString('\n'); line != "echo "+word+"\n" {
				t.Fatalf("%q, %v", line, err)
			}
		}
		_ = write.Close()
		if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

func TestBothDirectionsAtOnceOnH1(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, serve(t, fullDuplex).URL))
	conn := e.dial(t)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two", "six"} {
		_, _ = io.WriteString(conn, "4\r\n"+word+"\n\r\n")
		if line, err := answers.ReadString('\n'); line != "echo "+word+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	_, _ = io.WriteString(conn, "0\r\n\r\n")
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, mirror(t).URL))
	conn := e.dial(t)
	answers := bufio.NewReader(conn)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: example.com\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
	} {
		_, _ = io.WriteString(conn, request)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil || resp.StatusCode != 200 || resp.Close {
			t.Fatalf("%q: %v, %v", request, resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

func TestTrailersBothWays(t *testing.T) {
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", "of "+r.Trailer.Get("X-Count")+" octets")
		w.Header().Set(http.TrailerPrefix+"X-Unannounced", "too")
	})
	e := newEdge(t, onlyOrigin(t, origin.URL))
	eachProtocol(t, e, func(t *testing.T, _ string, c *http.Client) {
		r := e.request(t, "POST", "example.com", "/", nil)
		r.Trailer = http.Header{"X-Count": nil, "Authorization": nil}
		r.Body = &trailing{Reader: strings.NewReader("hello"), end: func() { r.Trailer.Set("X-Count", "5") }}
		r.ContentLength = -1
		resp, content := do(t, c, r)
		if content != "hello" || resp.Trailer.Get("X-Sum") != "of 5 octets" || resp.Trailer.Get("X-Unannounced") != "too" {
			t.Errorf("%d %q, trailers %v", resp.StatusCode, content, resp.Trailer)
		}
	})
}

// trailing calls end when its content has been read.
type trailing struct {
	io.Reader
	end func()
}

func (c *trailing) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		c.end()
	}
	return n, err
}

func (c *trailing) Close() error { return nil }

func TestEarlyHints(t *testing.T) {
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "page")
	})
	e := newEdge(t, onlyOrigin(t, origin.URL))
	eachProtocol(t, e, func(t *testing.T, _ string, c *http.Client) {
		var hints []string
		r := e.request(t, "GET", "example.com", "/", nil)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
				return nil
			},
		}))
		resp, content := do(t, c, r)
		if len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" {
			t.Errorf("%q", hints)
		}
		if content != "page" || resp.Header.Get("Link") != "" {
			t.Errorf("%q %v", content, resp.Header)
		}
	})
}

// TestContinueEndToEnd waits for the origin's 100 before any content moves; a refusal moves none.
func TestContinueEndToEnd(t *testing.T) {
	var accepts atomic.Bool
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !accepts.Load() {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	e := newEdge(t, onlyOrigin(t, origin.URL))
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		if strings.HasPrefix(protocol, "h3") {
			testContinueOnH3(t, e, &accepts)
			return
		}
		if transport := c.Transport.(*http.Transport); transport != nil {
			transport.ExpectContinueTimeout = time.Minute
		}
		f := func(accept bool, status int, moved bool) {
			t.Helper()
			accepts.Store(accept)
			var read atomic.Bool
			r := e.request(t, "POST", "example.com", "/", &readNoter{strings.NewReader("hello"), &read})
			r.Header.Set("Expect", "100-continue")
			resp, content := do(t, c, r)
			if resp.StatusCode != status || accept && content != "hello" {
				t.Errorf("%d %q, want %d", resp.StatusCode, content, status)
			}
			if strings.HasPrefix(protocol, "h1") && read.Load() != moved { // H2's server asks for the content by itself
				t.Errorf("content moved: %v, want %v", read.Load(), moved)
			}
		}
		f(true, 200, true)
		f(false, 403, false)
	})
}

type readNoter struct {
	io.Reader
	read *atomic.Bool
}

func (n *readNoter) Read(p []byte) (int, error) {
	n.read.Store(true)
	return n.Reader.Read(p)
}

func testContinueOnH3(t *testing.T, e *edge, accepts *atomic.Bool) {
	f := func(accept bool, want ...int) {
		t.Helper()
		accepts.Store(accept)
		got := e.continueOverH3(t, "hello")
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("statuses %v, want %v", got, want)
		}
	}
	f(true, 100, 200)
	f(false, 403)
}

// zeros is n octets without memory.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestLargeContents sends up to 1 GiB each way; the whole process, client and origin included, must stay small.
func TestLargeContents(t *testing.T) {
	if raceEnabled {
		t.Skip("measures memory, of which the race detector has its own")
	}
	sizes := map[string]int64{"h1": 1 << 30, "h1-loop": 96 << 20, "h2": 96 << 20, "h2-loop": 96 << 20, "h3": 96 << 20, "h3-loop": 96 << 20}
	if testing.Short() {
		sizes["h1"] = 128 << 20
	}
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n > 0 {
			_, _ = fmt.Fprint(w, n)
			return
		}
		size, _ := strconv.ParseInt(r.URL.RawQuery, 10, 64)
		w.Header().Set("Content-Length", r.URL.RawQuery)
		_, _ = io.Copy(w, zeros(size))
	})
	e := newEdge(t, onlyOrigin(t, origin.URL))
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		size := sizes[protocol]
		peak := watchHeap(t)
		resp, err := c.Do(e.request(t, "GET", "example.com", fmt.Sprint("/?", size), nil))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
			t.Errorf("download: %d octets, %v", n, err)
		}
		_ = resp.Body.Close()
		if _, content := do(t, c, e.request(t, "POST", "example.com", "/", zeros(size))); content != fmt.Sprint(size) {
			t.Errorf("upload: the origin got %s octets", content)
		}
		if got := peak(); got > 64<<20 {
			t.Errorf("heap in use: %d MiB", got>>20)
		}
	})
}

// watchHeap samples the heap until the returned function is called, which returns the peak.
func watchHeap(t *testing.T) func() uint64 {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan uint64)
	go func() { // ends with ctx
		var peak uint64
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		done <- peak
	}()
	return func() uint64 {
		cancel()
		return <-done
	}
}

func TestSwap(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	old := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "old")
	})
	next := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "new") })
	e := newEdge(t, onlyOrigin(t, old.URL))
	c := e.client(t, "h2")
	answer := make(chan string)
	go func() {
		resp, err := c.Do(e.request(t, "POST", "example.com", "/", nil))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		content, _ := io.ReadAll(resp.Body)
		answer <- string(content)
	}()
	<-arrived
	o := onlyOrigin(t, next.URL)
	o.Node, o.Cache = "ams-1", newCache(t, "ams-1")
	chain, err := proxy.NewChain(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Swap(chain)
	if _, content := do(t, c, e.request(t, "POST", "example.com", "/", nil)); content != "new" {
		t.Errorf("after the swap: %q", content)
	}
	close(release)
	if got := <-answer; got != "old" {
		t.Errorf("the request under way: %q", got)
	}
	e.Swap(nil)
	if resp, _ := do(t, c, e.request(t, "GET", "example.com", "/", nil)); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a chain: %d", resp.StatusCode)
	}
}
