package cache_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// rawOrigin is an origin that answers every request with the same bytes, and closes.
func rawOrigin(t *testing.T, answer string) *proxied {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return newProxied(t, s)
}

// TestLyingOrigins: what ends early is never stored, and the client sees that it isn't complete.
func TestLyingOrigins(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
	for _, tt := range []struct {
		name, answer string
		content      string
		complete     bool
	}{
		{"short of its length", head + "Content-Length: 10\r\n\r\nshort", "short", false},
		{"longer than its length", head + "Content-Length: 4\r\n\r\nlonger", "long", true},
		{"chunks that break off", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", "short", false},
		{"a broken chunk size", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nxyz\r\n", "short", false},
		{"whole chunks", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n", "whole", true},
		{"private and short", "HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 10\r\n\r\nshort", "short", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(t)
			url := front(t, handle(c, rawOrigin(t, tt.answer)))
			for range 2 {
				resp, err := http.Get(url)
				if err != nil {
					if tt.complete {
						t.Fatal(err)
					}
					continue // aborted before the header section left
				}
				content, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if (err == nil) != tt.complete || !strings.HasPrefix(tt.content, string(content)) {
					t.Errorf("got %q, %v", content, err)
				}
			}
			if n := c.Stats().Responses; (n == 1) != tt.complete {
				t.Errorf("%d responses are stored", n)
			}
		})
	}
}

// zeros is a content of n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// meter counts what is written, and notes the most that was in use meanwhile.
type meter struct {
	client
	written, most int64
}

func (m *meter) Write(p []byte) (int, error) {
	if m.written>>26 != (m.written+int64(len(p)))>>26 { // every 64 MiB
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		m.most = max(m.most, int64(s.HeapAlloc))
	}
	m.written += int64(len(p))
	return len(p), nil
}

// TestGibibyteInLittleMemory: too large to be stored, known at once or found out underway.
func TestGibibyteInLittleMemory(t *testing.T) {
	const size, bound = 1 << 30, 64 << 20
	for name, length := range map[string]int64{"length known": size, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
				return respond(zeros(size), length, "Cache-Control: max-age=60"), nil
			}}
			h := handle(newCache(t, func(o *cache.Options) { o.MaxObject = 8 << 20 }), o)
			runtime.GC()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			m := &meter{client: *newClient(nil)}
			h.ServeHTTP(m, request(t.Context(), "http://example.com/"))
			if used := m.most - int64(before.HeapAlloc); m.written != size || used > bound {
				t.Errorf("%d bytes passed in %d MiB", m.written, used>>20)
			}
		})
	}
}

// TestFillsAreBounded: when the memory for fills is in use, further contents pass without being stored.
func TestFillsAreBounded(t *testing.T) {
	hold := make(chan struct{})
	o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		content := zeros(3 << 20)
		if r.URL.Path == "/first" {
			read, write := io.Pipe()
			go func() { // ends with the test
				io.Copy(write, zeros(1<<20))
				<-hold
				io.Copy(write, zeros(2<<20))
				write.Close()
			}()
			content = read
		}
		return respond(content, 3<<20, "Cache-Control: max-age=60"), nil
	}}
	c := newCache(t, func(o *cache.Options) { o.Memory = 16 << 20 })
	h := handle(c, o)
	started, first := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(first)
		h.ServeHTTP(newClient(func() { close(started) }), request(t.Context(), "http://example.com/first"))
	}()
	<-started
	w := get(h, "http://example.com/second")
	if got := w.Header().Get("Cache-Status"); w.Body.Len() != 3<<20 || !strings.Contains(got, "detail=no-room") {
		t.Errorf("got %d bytes, %s", w.Body.Len(), got)
	}
	if used := c.Stats().FillBytes; used != 3<<20 {
		t.Errorf("%d bytes are held", used)
	}
	close(hold)
	<-first
	if used := c.Stats().FillBytes; used != 0 {
		t.Errorf("%d bytes are held after the end", used)
	}
}

// Clients that wait for a content that no memory is left for have it as it passes: the origin is asked once.
func TestNoRoomIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, size = 50, 3 << 20
		read, write := io.Pipe()
		o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/first" {
				return respond(read, size, "Cache-Control: max-age=60"), nil
			}
			time.Sleep(time.Second) // until all have come
			return respond(zeros(size), size, "Cache-Control: max-age=60"), nil
		}}
		c := newCache(t, func(o *cache.Options) { o.Memory = 16 << 20 }) // a quarter of it for fills
		h := handle(c, o)
		var first, wg sync.WaitGroup
		first.Go(func() { get(h, "http://example.com/first") })
		synctest.Wait()
		for range clients {
			wg.Go(func() {
				w := get(h, "http://example.com/")
				if got := w.Header().Get("Cache-Status"); w.Body.Len() != size || !strings.HasSuffix(got, "detail=no-room") || strings.Contains(got, "stored") {
					t.Errorf("got %d bytes, %s", w.Body.Len(), got)
				}
			})
		}
		wg.Wait()
		s := c.Stats()
		io.Copy(write, zeros(size))
		write.Close()
		first.Wait()
		if o.requests.Load() != 2 || s.Collapsed != clients-1 || s.FillBytes != size || s.Responses != 0 || s.Unstored[cache.ReasonNoRoom] != 1 {
			t.Errorf("%d requests, %+v", o.requests.Load(), s)
		}
	})
}

// TestInterimResponses: 103 passes, on a fill and past the cache, and isn't stored.
func TestInterimResponses(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, "final")
	}))
	t.Cleanup(s.Close)
	url := front(t, handle(newCache(t), newProxied(t, s)))
	for _, tt := range []struct {
		method string
		hints  int32
	}{{http.MethodGet, 1}, {http.MethodGet, 0}, {http.MethodPost, 1}} {
		var hints atomic.Int32
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == http.StatusEarlyHints && h.Get("Link") != "" {
				hints.Add(1)
			}
			return nil
		}}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), tt.method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if hints.Load() != tt.hints || resp.Header.Get("Link") != "" {
			t.Errorf("%s: %d hints, final %v", tt.method, hints.Load(), resp.Header)
		}
	}
}

// TestTrailers: they come with the content, from the origin and from the cache.
func TestTrailers(t *testing.T) {
	for _, announced := range []bool{true, false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			name := http.TrailerPrefix + "X-Sum"
			if announced {
				name = "X-Sum"
				w.Header().Set("Trailer", name)
			}
			fmt.Fprint(w, "content")
			http.NewResponseController(w).Flush()
			w.Header().Set(name, "42")
		}))
		url := front(t, handle(newCache(t), newProxied(t, s)))
		for _, target := range []string{"/a", "/a", "/post"} {
			method := http.MethodGet
			if target == "/post" {
				method = http.MethodPost
			}
			r, _ := http.NewRequest(method, url+target, nil)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(content) != "content" || resp.Trailer.Get("X-Sum") != "42" {
				t.Errorf("announced %v: %s %s: %q, %v, trailer %v", announced, method, target, content, err, resp.Trailer)
			}
		}
		s.Close()
	}
}

// TestStreamsBothWays: an exchange of pieces, as gRPC makes it, with neither side waiting for the other's end.
func TestStreamsBothWays(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		control.Flush()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			fmt.Fprintf(w, "echo %s\n", lines.Text())
			control.Flush()
		}
	}))
	t.Cleanup(s.Close)
	inner := handle(newCache(t), newProxied(t, s))
	url := front(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		inner.ServeHTTP(w, r)
	}))
	read, write := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, url, read)
	if err != nil {
		t.Fatal(err)
	}
	go fmt.Fprintln(write, "0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		if got, err := lines.ReadString('\n'); err != nil || got != fmt.Sprintf("echo %d\n", i) {
			t.Fatalf("got %q, %v", got, err)
		}
		go fmt.Fprintln(write, i+1)
	}
	write.Close()
}

// TestEventsComeAtOnce: neither a cold stream of events nor its header section waits for more.
func TestEventsComeAtOnce(t *testing.T) {
	for _, control := range []string{"no-store", "max-age=60"} {
		next := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", control)
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			for i := range 3 {
				<-next
				fmt.Fprintf(w, "data: %d\n", i)
				http.NewResponseController(w).Flush()
			}
		}))
		url := front(t, handle(newCache(t), newProxied(t, s)))
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			next <- struct{}{}
			if got, err := lines.ReadString('\n'); err != nil || got != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("%s: got %q, %v", control, got, err)
			}
		}
		resp.Body.Close()
		s.Close()
	}
}

// TestClientGoneWhileStreaming: a response that isn't stored ends with its client.
func TestClientGoneWhileStreaming(t *testing.T) {
	gone := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprint(w, "begin")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	t.Cleanup(s.Close)
	url := front(t, handle(newCache(t), newProxied(t, s)))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the origin wasn't told")
	}
}

func TestCloseWaitsForFills(t *testing.T) {
	read, write := io.Pipe()
	o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		context.AfterFunc(r.Context(), func() { read.CloseWithError(net.ErrClosed) })
		return respond(read, -1, "Cache-Control: max-age=60"), nil
	}}
	c := newCacheUnclosed(t)
	h := handle(c, o)
	ended := make(chan bool)
	begun := make(chan struct{})
	go func() {
		ended <- serveAborted(h, newClient(func() { close(begun) }), request(t.Context(), "http://example.com/"))
	}()
	fmt.Fprint(write, "begin")
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if !<-ended {
		t.Error("the client took the aborted content for complete")
	}
}
