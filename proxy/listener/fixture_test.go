package listener_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/listener"
	edgetls "github.com/anyedge/anyedge/tls"
)

// patience is how long a test waits for what must happen; it is never waited for what must not.
const patience = 10 * time.Second

const host = "shop.example.com"

// edge is a listener on loopback with what tests look at.
type edge struct {
	*listener.Listener
	t       *testing.T
	config  listener.Config
	store   *edgetls.Store
	roots   *x509.CertPool
	metrics *prometheus.Registry
	journal *health.Journal
	log     *logBuffer
	served  chan error // what Serve returned
}

// newEdge returns an edge that is bound and doesn't serve yet.
func newEdge(t *testing.T, h http.Handler, adjust ...func(*listener.Config)) *edge {
	t.Helper()
	e := &edge{
		t: t, roots: x509.NewCertPool(), metrics: prometheus.NewRegistry(), journal: health.NewJournal(64),
		log: &logBuffer{}, served: make(chan error, 1),
	}
	pair, leaf, err := edgetls.SelfSigned(host, "127.0.0.1")
	must(t, err)
	e.roots.AddCert(leaf)
	e.store, err = edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	must(t, err)
	must(t, e.store.Add(pair))
	e.config = listener.Config{
		VIP: "www", TLS: e.store.Config(), Handler: h, Journal: e.journal,
		Options: listener.Options{
			Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, HTTPS: freePort(t), HTTP: freePort(t),
		},
		Metrics: listener.NewMetrics(e.metrics),
		Log:     slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	e.config.Limits.SetDefaults()
	e.config.Hits = noHits{} // all that follows holds with the loop before net/http
	for _, f := range adjust {
		f(&e.config)
	}
	e.Listener, err = listener.Open(e.config)
	must(t, err)
	t.Cleanup(e.cut)
	return e
}

// serve returns an edge that serves until the test ends.
func serve(t *testing.T, h http.Handler, adjust ...func(*listener.Config)) *edge {
	t.Helper()
	e := newEdge(t, h, adjust...)
	go func() { e.served <- e.Serve(context.Background()) }()
	return e
}

// cut shuts the listener down without grace.
func (e *edge) cut() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = e.Shutdown(ctx)
}

// ended waits until Serve has returned.
func (e *edge) ended() {
	e.t.Helper()
	select {
	case err := <-e.served:
		must(e.t, err)
	case <-time.After(patience):
		e.t.Fatal("Serve doesn't return")
	}
}

func (e *edge) https() string {
	return netip.AddrPortFrom(e.config.Addresses[0], e.config.HTTPS).String()
}

func (e *edge) http() string {
	return netip.AddrPortFrom(e.config.Addresses[0], e.config.HTTP).String()
}

func (e *edge) clientTLS(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: e.roots, ServerName: host, NextProtos: protocols}
}

// client speaks one version of HTTP with the edge: "h1", "h2" or "h3".
func (e *edge) client(version listener.Protocol) *http.Client {
	e.t.Helper()
	if version == listener.H3 {
		t := &http3.Transport{TLSClientConfig: e.clientTLS()}
		e.t.Cleanup(func() { _ = t.Close() })
		return &http.Client{Transport: t, Timeout: patience}
	}
	t := &http.Transport{TLSClientConfig: e.clientTLS(), Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(version == listener.H1)
	t.Protocols.SetHTTP2(version == listener.H2)
	e.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// get fetches a page over version.
func (e *edge) get(version listener.Protocol) *http.Response {
	e.t.Helper()
	r, err := e.client(version).Get("https://" + e.https() + "/")
	must(e.t, err)
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	must(e.t, err)
	return r
}

// metric is the sum of the samples of name whose labels include all of want ("key=value").
func (e *edge) metric(name string, want ...string) float64 {
	e.t.Helper()
	families, err := e.metrics.Gather()
	must(e.t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "anyedge_listener_"+name {
			continue
		}
		for _, m := range f.Metric {
			labels := " "
			for _, l := range m.Label {
				labels += l.GetName() + "=" + l.GetValue() + " "
			}
			matches := true
			for _, w := range want {
				matches = matches && strings.Contains(labels, " "+w+" ")
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// eventually waits until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("didn't happen: " + what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port of 127.0.0.1 that is free for TCP and UDP. It isn't one of those that the kernel gives to whoever
// asks for any, which another test may get before it is bound again.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		port := uint16(10_000 + rand.IntN(20_000))
		ln, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", ln.Addr().String())
		must(t, ln.Close())
		if err == nil {
			must(t, udp.Close())
			return port
		}
	}
	t.Fatal("no port is free for both TCP and UDP")
	return 0
}

// noLeak fails the test if goroutines outlive it.
func noLeak(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// holder is a handler whose requests begin and end when the test says so.
type holder struct {
	began chan struct{}
	end   chan struct{}
}

func newHolder() *holder { return &holder{began: make(chan struct{}, 16), end: make(chan struct{})} }

func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.began <- struct{}{}
	select {
	case <-h.end:
		_, _ = io.WriteString(w, "done")
	case <-r.Context().Done():
	}
}

func (h *holder) waitBegun(t *testing.T) {
	t.Helper()
	select {
	case <-h.began:
	case <-time.After(patience):
		t.Fatal("no request began")
	}
}

// result is what a request in the background came to.
type result struct {
	status int
	close  bool
	body   string
	err    error
}

// fetch makes a request in the background.
func fetch(c *http.Client, url string) <-chan result {
	done := make(chan result, 1)
	go func() {
		r, err := c.Get(url)
		if err != nil {
			done <- result{err: err}
			return
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		done <- result{r.StatusCode, r.Close, string(body), err}
	}()
	return done
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("didn't happen: " + what)
		panic("unreachable")
	}
}
