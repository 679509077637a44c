package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
	"github.com/anyedge/anyedge/proxy/listener"
)

// countingFinder counts what the loop answers.
type countingFinder struct {
	hitpath.Finder
	found atomic.Int64
}

func (f *countingFinder) Find(r *hitpath.Request, a *hitpath.Answer) bool {
	ok := f.Finder.Find(r, a)
	if ok {
		f.found.Add(1)
	}
	return ok
}

// serveLoop serves H1 and H2 the way listener does with Hits.
func (e *edge) serveLoop(t *testing.T, certs []tls.Certificate, info *listener.Info) {
	e.hits = &countingFinder{Finder: e.Server}
	ln, udp := listenBoth(t)
	e.loop = ln.Addr().String()
	s := &http.Server{
		Handler: e.Server, DisableGeneralOptionsHandler: true,
		BaseContext: func(net.Listener) context.Context { return listener.WithInfo(context.Background(), info) },
	}
	hits := &hitpath.Server{
		Finder: e.hits, VIP: info.VIP, Header: 64 << 10,
		HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, SendIdle: time.Minute,
		Handler: e.Server, Context: listener.WithInfo(context.Background(), info),
	}
	e.serveH2(t, s, hits, info)
	e.serveQUIC(t, udp, hits, certs, info)
	config := &tls.Config{Certificates: certs, NextProtos: []string{"h2", "http/1.1"}}
	l := &loopListener{Listener: ln, config: config, server: hits, given: make(chan net.Conn), closed: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() { l.run(&serving) })
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		close(l.closed)
		_ = s.Close()
		l.cut()
		serving.Wait()
	})
}

// loopListener leads connections over the loop, and hands out those that it gives away, and those of H2.
type loopListener struct {
	net.Listener
	config *tls.Config
	server *hitpath.Server
	given  chan net.Conn
	closed chan struct{}

	mu   sync.Mutex // guards the following field
	open []net.Conn
}

// run ends with the listener.
func (l *loopListener) run(serving *sync.WaitGroup) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.open = append(l.open, c)
		l.mu.Unlock()
		serving.Go(func() { l.serve(tls.Server(c, l.config)) })
	}
}

func (l *loopListener) serve(c *tls.Conn) {
	if c.Handshake() != nil {
		_ = c.Close()
		return
	}
	rest := net.Conn(c)
	if c.ConnectionState().NegotiatedProtocol != "h2" {
		if rest = l.server.NewConn(c, hitpathtest.Unheld{}).Serve(); rest == nil {
			return
		}
	}
	select {
	case l.given <- rest:
	case <-l.closed:
	}
}

func (l *loopListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.given:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// cut closes every connection.
func (l *loopListener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		_ = c.Close()
	}
}

// stored is an origin that lets everything be stored; the path says what comes: /SIZE/... octets, or a page.
func stored(t *testing.T, hits *atomic.Int64) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Etag", `"1"`)
		w.Header()["X-Two"] = []string{"a", "b"}
		if strings.HasPrefix(r.URL.Path, "/private") {
			w.Header().Set("Cache-Control", "no-store")
		}
		size, _ := strconv.Atoi(strings.Split(r.URL.Path, "/")[1])
		if size == 0 {
			size = 20
		}
		content, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%-*s", size, r.Method+" "+r.URL.RequestURI()+" "+string(content))
	}).URL
}

// session is an H1 connection to the loop.
type session struct {
	t *testing.T
	*tls.Conn
	r *bufio.Reader
}

func (e *edge) session(t *testing.T) *session {
	conn := e.dialAt(t, e.loop)
	return &session{t, conn, bufio.NewReader(conn)}
}

func (s *session) send(octets string) {
	s.t.Helper()
	if _, err := io.WriteString(s.Conn, octets); err != nil {
		s.t.Fatal(err)
	}
}

// answer reads a response to a request of that method.
func (s *session) answer(method string) (*http.Response, string) {
	s.t.Helper()
	resp, err := http.ReadResponse(s.r, &http.Request{Method: method})
	if err != nil {
		s.t.Fatal(err)
	}
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, strings.TrimRight(string(content), " ")
}

// wants reads an answer to a GET, and holds its content to want.
func (s *session) wants(want string) {
	s.t.Helper()
	if _, content := s.answer("GET"); content != want {
		s.t.Fatalf("got %q, want %q", content, want)
	}
}

func get(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: example.com\r\n\r\n" }

// warmEdge is an edge that has /a, /b, /c and a large content stored.
func warmEdge(t *testing.T, adjust ...func(*proxy.ChainOptions)) (*edge, *atomic.Int64) {
	fills := new(atomic.Int64)
	o := onlyOrigin(t, stored(t, fills))
	for _, f := range adjust {
		f(&o)
	}
	e := newEdge(t, o)
	s := e.session(t)
	for _, target := range []string{"/a", "/b", "/c", "/100000/large"} {
		s.send(get(target))
		s.wants("GET " + target)
	}
	if e.hits.found.Load() != 0 {
		t.Fatal("a miss was a hit")
	}
	fills.Store(0)
	return e, fills
}

// TestLoopAnswersAlike compares hits of the loop with those of net/http, field by field.
func TestLoopAnswersAlike(t *testing.T) {
	for _, protocol := range []string{"h1", "h2", "h3"} {
		t.Run(protocol, func(t *testing.T) { answersAlike(t, protocol) })
	}
}

func answersAlike(t *testing.T, protocol string) {
	e, fills := warmEdge(t)
	for _, method := range []string{"GET", "HEAD"} {
		for _, target := range []string{"/a", "/100000/large"} {
			before := e.hits.found.Load()
			loop, loopContent := do(t, e.client(t, protocol+"-loop"), e.request(t, method, "example.com", target, nil))
			long, longContent := do(t, e.client(t, protocol), e.request(t, method, "example.com", target, nil))
			if e.hits.found.Load() != before+1 {
				t.Errorf("%s %s: the loop didn't answer", method, target)
			}
			if loop.StatusCode != long.StatusCode || loop.ContentLength != long.ContentLength || loopContent != longContent {
				t.Errorf("%s %s: status %d and %d, length %d and %d", method, target, loop.StatusCode, long.StatusCode, loop.ContentLength, long.ContentLength)
			}
			for _, h := range []http.Header{loop.Header, long.Header} {
				h.Set("Cache-Status", strings.TrimRight(h.Get("Cache-Status"), "0123456789"))
				h.Set("Age", "") // a second may begin between
			}
			if !maps.EqualFunc(loop.Header, long.Header, slices.Equal) {
				t.Errorf("%s %s: the loop sends\n%v\nnet/http\n%v", method, target, loop.Header, long.Header)
			}
		}
	}
	if fills.Load() != 0 {
		t.Error("the origin was asked")
	}
}

// TestLoopSequences sends requests on one connection, in one write and octet by octet, and reads the answers in order.
func TestLoopSequences(t *testing.T) {
	const inner = "GET /hidden HTTP/1.1\r\nHost: example.com\r\n\r\n"
	post := fmt.Sprintf("POST /private HTTP/1.1\r\nHost: example.com\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner)
	chunked := "POST /private HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n" + "5\r\nGET /\r\n0\r\n\r\n"
	tests := []struct {
		name     string
		requests []string
		answers  []string
		hits     int64 // the least that the loop answers when each request waits for the answer before
	}{
		{"hits", []string{get("/a"), get("/b"), get("/100000/large"), get("/c")}, []string{"GET /a", "GET /b", "GET /100000/large", "GET /c"}, 4},
		{"a miss between", []string{get("/a"), get("/private"), get("/b"), get("/c")}, []string{"GET /a", "GET /private", "GET /b", "GET /c"}, 3},
		{"misses", []string{get("/private"), get("/private/2"), get("/a")}, []string{"GET /private", "GET /private/2", "GET /a"}, 1},
		{"content", []string{get("/a"), chunked, get("/b"), get("/c")}, []string{"GET /a", "POST /private GET /", "GET /b", "GET /c"}, 1},
		{"content that looks like a request", []string{get("/a"), post, get("/b")}, []string{"GET /a", "POST /private " + inner, "GET /b"}, 1},
		{"fields in any case", []string{"GET /a HTTP/1.1\r\nhOST:example.com\r\nconnection:\tKeep-Alive\r\nuser-agent: x\r\n\r\n", get("/b")}, []string{"GET /a", "GET /b"}, 2},
		{"other names of the host", []string{"GET /a HTTP/1.1\r\nHost: EXAMPLE.com.:443\r\n\r\n", get("/b")}, []string{"GET /a", "GET /b"}, 2},
		{"another port", []string{
			"GET /a HTTP/1.1\r\nHost: example.com:8443\r\n\r\n", "GET /a HTTP/1.1\r\nHost: EXAMPLE.com:8443\r\n\r\n",
			"GET /a HTTP/1.1\r\nHost: example.com.:8443\r\n\r\n", get("/a"),
		}, []string{"GET /a", "GET /a", "GET /a", "GET /a"}, 2},
		{"a query", []string{get("/a?x"), get("/a"), get("/a?x")}, []string{"GET /a?x", "GET /a", "GET /a?x"}, 1},
		{"bare line feeds", []string{get("/a"), "GET /b HTTP/1.1\nHost: example.com\n\n", get("/c")}, []string{"GET /a", "GET /b", "GET /c"}, 1},
		{"a long head", []string{get("/a"), "GET /b HTTP/1.1\r\nHost: example.com\r\nCookie: " + strings.Repeat("x", 9000) + "\r\n\r\n", get("/c")}, []string{"GET /a", "GET /b", "GET /c"}, 1},
		{"many fields", []string{"GET /b HTTP/1.1\r\nHost: example.com\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n", get("/c")}, []string{"GET /b", "GET /c"}, 0},
		{"absolute target", []string{"GET https://example.com/b HTTP/1.1\r\nHost: example.com\r\n\r\n", get("/c")}, []string{"GET /b", "GET /c"}, 0},
		{"spoofed field", []string{"GET /b HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: http\r\n\r\n", get("/c")}, []string{"GET /b", "GET /c"}, 1},
		{"condition", []string{get("/a"), "GET /b HTTP/1.1\r\nHost: example.com\r\nIf-None-Match: \"1\"\r\n\r\n", get("/c")}, []string{"GET /a", "", "GET /c"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, _ := warmEdge(t)
			t.Run("one by one", func(t *testing.T) {
				s := e.session(t)
				before := e.hits.found.Load()
				for i, r := range tt.requests {
					s.send(r)
					s.wants(tt.answers[i])
				}
				if got := e.hits.found.Load() - before; got < tt.hits {
					t.Errorf("the loop answered %d, want %d at least", got, tt.hits)
				}
			})
			t.Run("pipelined", func(t *testing.T) {
				s := e.session(t)
				s.send(strings.Join(tt.requests, ""))
				for _, want := range tt.answers {
					s.wants(want)
				}
			})
			t.Run("octet by octet", func(t *testing.T) {
				s := e.session(t)
				all := strings.Join(tt.requests, "")
				if len(all) > 2000 {
					t.Skip("long")
				}
				for i := range len(all) {
					s.send(all[i : i+1])
				}
				for _, want := range tt.answers {
					s.wants(want)
				}
			})
		})
	}
}

// TestLoopThenWebSocket upgrades a connection that had hits before, with octets sent ahead.
func TestLoopThenWebSocket(t *testing.T) {
	e := newEdge(t, onlyOrigin(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			wsOrigin(w, r)
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "page")
	}).URL))
	s := e.session(t)
	for range 3 {
		s.send(get("/a"))
		s.wants("page")
	}
	if e.hits.found.Load() != 2 {
		t.Fatalf("the loop answered %d, want 2", e.hits.found.Load())
	}
	checkWebSocket(t, s.Conn)
}

// TestLoopKeepsAccounts compares what is logged and counted of a hit by either way.
func TestLoopKeepsAccounts(t *testing.T) {
	t.Run("h1", func(t *testing.T) { keepsAccounts(t, "h1", 5) }) // the fills were over H1
	t.Run("h2", func(t *testing.T) { keepsAccounts(t, "h2", 1) })
	t.Run("h3", func(t *testing.T) { keepsAccounts(t, "h3", 1) })
}

func keepsAccounts(t *testing.T, protocol string, first float64) {
	lines, logger := newLog()
	registry := prometheus.NewRegistry()
	e, _ := warmEdge(t, func(o *proxy.ChainOptions) { o.AccessLog, o.Metrics = logger, proxy.NewMetrics(registry) })
	for range 4 {
		lines.next(t)
	}
	var logged [2]map[string]any
	for i, way := range [...]string{protocol, protocol + "-loop"} {
		r := e.request(t, "GET", "EXAMPLE.com", "/a", nil)
		r.Header.Set("User-Agent", "test/1")
		r.Header.Set("Referer", "https://example.com/")
		do(t, e.client(t, way), r)
		logged[i] = lines.next(t)
		if got := metric(t, registry, "anyedge_proxy_requests_total", "class=2xx", "proto="+protocol, "site=shop", "vip=www"); got != first+float64(i) {
			t.Errorf("%s: counted %v", way, got)
		}
		if got := metric(t, registry, "anyedge_proxy_requests_in_flight"); got != 0 {
			t.Errorf("%s: %v requests in flight", way, got)
		}
	}
	if logged[1]["cache"] != "hit" || e.hits.found.Load() != 1 {
		t.Fatalf("no hit of the loop: %v", logged[1])
	}
	for _, line := range logged {
		for _, changing := range []string{"time", "duration_ms", "ttfb_ms", "request_id"} {
			if line[changing] == nil {
				t.Errorf("no %s in %v", changing, line)
			}
			delete(line, changing)
		}
	}
	if !maps.Equal(logged[0], logged[1]) {
		t.Errorf("the loop logs\n%v\nnet/http\n%v", logged[1], logged[0])
	}
}

// TestLoopIsAdmitted holds hits of the loop to the limits.
func TestLoopIsAdmitted(t *testing.T) {
	var limits admission.Options
	limits.SetDefaults()
	limits.Rate, limits.Burst = 0.001, 7
	limiter := admission.New(limits, prometheus.NewRegistry())
	e, _ := warmEdge(t, func(o *proxy.ChainOptions) { o.Admission = limiter }) // takes 4
	s := e.session(t)
	for i, want := range []int{200, 200, 200, 429} {
		s.send(get("/a"))
		if resp, _ := s.answer("GET"); resp.StatusCode != want {
			t.Errorf("answer %d: %d, want %d", i, resp.StatusCode, want)
		}
	}
	if n := limiter.InFlight(); n != 0 {
		t.Errorf("%d requests in flight", n)
	}
}

// TestLoopLeavesWhatItDoesNotKnow sends, to what is stored, each field that a step of the chain looks at. The loop must
// leave the request to the chain.
func TestLoopLeavesWhatItDoesNotKnow(t *testing.T) {
	e, _ := warmEdge(t)
	for _, field := range []string{
		"Anyedge-Self: x", "Cdn-Loop: other", "Expect: 100-continue", "Te: trailers", "Trailer: x", "Keep-Alive: timeout=5",
		"Proxy-Connection: x", "Proxy-Authorization: x", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", "Forwarded: for=x",
		"x-forwarded-for: 192.0.2.1", "X-FORWARDED-ANYTHING: x", "X-Real-IP: x", "X-Original-URL: /b", "X-Rewrite-URL: /b",
		"X-HTTP-Method-Override: POST", "X-HTTP-Method: POST", "X-Method-Override: POST", "Proxy: x", "Content_Length: 5",
		"X_Forwarded_For: x", "Early-Data: 1", "Range: bytes=0-1", "If-Range: x", "If-Match: x", "If-None-Match: x",
		"If-Modified-Since: x", "If-Unmodified-Since: x", "Authorization: x", "Cache-Control: only-if-cached, no-cache",
		"Connection: close", "Connection: x", "Connection: upgrade",
	} {
		s := e.session(t)
		before := e.hits.found.Load()
		s.send("GET /a HTTP/1.1\r\nHost: example.com\r\n" + field + "\r\n\r\n")
		s.answer("GET")
		if found := e.hits.found.Load() != before; found != strings.HasPrefix(field, "Cache-Control") {
			t.Errorf("%s: the loop answered: %v", field, found)
		}
	}
	for _, target := range []string{"/a//", "/./a", "/a;x", "/%61", `/x\a`, "/a?x#y", "//a"} {
		before := e.hits.found.Load()
		for range 2 { // stored by the first
			s := e.session(t)
			s.send(get(target))
			s.answer("GET")
		}
		if e.hits.found.Load() != before {
			t.Errorf("%s: the loop answered", target)
		}
	}
}
