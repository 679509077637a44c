package proxy_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/listener"
	edgetls "github.com/anyedge/anyedge/tls"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

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

// asked counts what reaches an origin, by method, path, and whether it was said to be early.
type asked struct {
	mu    sync.Mutex // guards the following field
	times map[string]int
}

func (a *asked) count(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.times[what]
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what, early := r.Method+" "+r.URL.Path, r.Header.Get("Early-Data") == "1"
	if early {
		what = "early " + what
	}
	a.mu.Lock()
	a.times[what]++
	a.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.URL.Path == "/stored":
		w.Header().Set("Cache-Control", "max-age=60")
	case r.URL.Path == "/later" && early:
		w.Header().Set("Cache-Control", "max-age=60")
		w.WriteHeader(http.StatusTooEarly)
	}
	_, _ = io.WriteString(w, what)
}

// earlyFleet is two nodes with one secret and an origin: early.example.com answers early data, late.example.com doesn't.
type earlyFleet struct {
	t        *testing.T
	origin   *asked
	nodes    [2]*earlyNode
	roots    *x509.CertPool
	sessions tls.ClientSessionCache
}

type earlyNode struct {
	addr    *net.UDPAddr
	metrics *prometheus.Registry
}

func newEarlyFleet(t *testing.T) *earlyFleet {
	t.Helper()
	f := &earlyFleet{t: t, origin: &asked{times: map[string]int{}}, roots: x509.NewCertPool(), sessions: tls.NewLRUClientSessionCache(4)}
	server := httptest.NewServer(f.origin)
	t.Cleanup(server.Close)
	pair, leaf, err := edgetls.SelfSigned("early.example.com", "late.example.com")
	must(t, err)
	f.roots.AddCert(leaf)
	for i := range f.nodes {
		f.nodes[i] = f.start(server.URL, pair)
	}
	return f
}

func (f *earlyFleet) start(server string, pair tls.Certificate) *earlyNode {
	t := f.t
	t.Helper()
	n := &earlyNode{metrics: prometheus.NewRegistry()}
	chain, err := proxy.NewChain(proxy.ChainOptions{
		Node: "ams-1", Cache: newCache(t, "ams-1"), Metrics: proxy.NewMetrics(n.metrics),
		Pools: map[string]proxy.Pool{"backend": newPool(t, server)},
		Sites: map[string]*proxy.SiteOptions{
			"early": {Hosts: []string{"early.example.com"}, Origin: "backend", EarlyData: true},
			"late":  {Hosts: []string{"late.example.com"}, Origin: "backend"},
		},
	})
	must(t, err)
	h := proxy.NewServer()
	h.Swap(chain)
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	must(t, err)
	must(t, store.Add(pair))
	store.ShareTickets(func(epoch int64) [][]byte {
		key := sha256.Sum256(fmt.Append(nil, "secret", epoch))
		return [][]byte{key[:]}
	})
	config := listener.Config{VIP: vip, TLS: store.Config(), Handler: h}
	config.Limits.SetDefaults()
	config.Limits.HeaderTimeout = time.Minute // for handshakes that the test holds up
	config.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	l := openSomewhere(t, config)
	l.SetEarlyData(true)
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Shutdown(ctx)
		<-served
	})
	for _, a := range l.Addrs() {
		if udp, ok := a.(*net.UDPAddr); ok {
			n.addr = udp
		}
	}
	return n
}

// openSomewhere opens a listener on a port that is free for TCP and UDP.
func openSomewhere(t *testing.T, c listener.Config) *listener.Listener {
	t.Helper()
	var err error
	for range 100 {
		c.HTTPS = uint16(10_000 + rand.IntN(20_000))
		var l *listener.Listener
		if l, err = listener.Open(c); err == nil {
			return l
		}
	}
	t.Fatal(err)
	return nil
}

// outcome is how many early requests a node dealt with in that manner.
func (n *earlyNode) outcome(t *testing.T, outcome string) (count float64) {
	t.Helper()
	families, err := n.metrics.Gather()
	must(t, err)
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if f.GetName() == "anyedge_proxy_early_requests_total" && l.GetName() == "outcome" && l.GetValue() == outcome {
					count += m.GetCounter().GetValue()
				}
			}
		}
	}
	return count
}

func (f *earlyFleet) tls() *tls.Config {
	return &tls.Config{RootCAs: f.roots, ServerName: "early.example.com", ClientSessionCache: f.sessions, NextProtos: []string{"h3"}}
}

// settle gets a session from the first node, with which the next connection begins with early data.
func (f *earlyFleet) settle() {
	f.t.Helper()
	conn, err := quic.DialAddr(f.t.Context(), f.nodes[0].addr.String(), f.tls(), nil)
	must(f.t, err)
	eventually(f.t, "a session comes", func() bool {
		s, ok := f.sessions.Get("early.example.com")
		return ok && s != nil
	})
	_ = conn.CloseWithError(0x100, "")
}

// earlyConn is a client's connection.
type earlyConn struct {
	*http3.ClientConn
	quic *quic.Conn
}

// dial begins a connection with early data.
func (f *earlyFleet) dial(addr net.Addr) earlyConn {
	f.t.Helper()
	conn, err := quic.DialAddrEarly(f.t.Context(), addr.String(), f.tls(), &quic.Config{HandshakeIdleTimeout: time.Minute})
	must(f.t, err)
	transport := &http3.Transport{}
	f.t.Cleanup(func() {
		_ = transport.Close()
		_ = conn.CloseWithError(0x100, "")
	})
	return earlyConn{transport.NewClientConn(conn), conn}
}

// shaken waits until the connection's handshake is complete.
func (c earlyConn) shaken(t *testing.T) earlyConn {
	t.Helper()
	select {
	case <-c.quic.HandshakeComplete():
	case <-time.After(patience):
		t.Fatal("the handshake isn't complete")
	}
	return c
}

// send sends a request, early data or not: it doesn't wait for the handshake.
func (f *earlyFleet) send(c earlyConn, method, url, content string) *http3.RequestStream {
	f.t.Helper()
	stream, err := c.OpenRequestStream(f.t.Context())
	must(f.t, err)
	r, err := http.NewRequestWithContext(f.t.Context(), method, url, nil)
	must(f.t, err)
	must(f.t, stream.SendRequestHeader(r))
	if content != "" {
		_, err = io.WriteString(stream, content)
		must(f.t, err)
	}
	must(f.t, stream.Close())
	return stream
}

// answer is the status of a stream's response, its Cache-Status, and its content.
func (f *earlyFleet) answer(stream *http3.RequestStream) (int, string, string) {
	f.t.Helper()
	must(f.t, stream.SetReadDeadline(time.Now().Add(patience)))
	resp, err := stream.ReadResponse()
	must(f.t, err)
	content, err := io.ReadAll(resp.Body)
	must(f.t, err)
	return resp.StatusCode, resp.Header.Get("Cache-Status"), string(content)
}

// wire is the way from a client to a node, where somebody records what the client sends, and holds back what the node does.
type wire struct {
	net.Addr // for the client
	front    *net.UDPConn
	back     *net.UDPConn

	mu     sync.Mutex // guards the following fields
	client net.Addr
	sent   [][]byte // by the client
	held   [][]byte // from the node
	open   bool     // nothing is held back any more
}

func newWire(t *testing.T, node *earlyNode) *wire {
	t.Helper()
	front, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	back, err := net.DialUDP("udp4", nil, node.addr)
	must(t, err)
	w := &wire{Addr: front.LocalAddr(), front: front, back: back}
	var loops sync.WaitGroup
	loops.Go(w.forth)
	loops.Go(w.home)
	t.Cleanup(func() {
		_ = front.Close()
		_ = back.Close()
		loops.Wait()
	})
	return w
}

func (w *wire) forth() {
	buf := make([]byte, 1<<16)
	for {
		n, client, err := w.front.ReadFrom(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		w.client, w.sent = client, append(w.sent, append([]byte{}, buf[:n]...))
		w.mu.Unlock()
		_, _ = w.back.Write(buf[:n])
	}
}

func (w *wire) home() {
	buf := make([]byte, 1<<16)
	for {
		n, err := w.back.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		if w.open {
			_, _ = w.front.WriteTo(buf[:n], w.client)
		} else {
			w.held = append(w.held, append([]byte{}, buf[:n]...))
		}
		w.mu.Unlock()
	}
}

// release lets the node's answers through, those that were held back first.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = true
	for _, b := range w.held {
		_, _ = w.front.WriteTo(b, w.client)
	}
}

// replay sends to a node what the client has sent, from another address.
func (w *wire) replay(t *testing.T, node *earlyNode) {
	t.Helper()
	conn, err := net.DialUDP("udp4", nil, node.addr)
	must(t, err)
	defer conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.sent {
		_, _ = conn.Write(b)
	}
}

// What somebody has recorded and sends again, here or elsewhere, runs nowhere unless it may run any number of times.
func TestReplayedEarlyData(t *testing.T) {
	f := newEarlyFleet(t)
	f.settle()
	w := newWire(t, f.nodes[0])
	c := f.dial(w)
	f.send(c, http.MethodPost, "https://early.example.com/order", "one shoe")
	f.send(c, http.MethodPost, "https://late.example.com/order", "one shoe")
	f.send(c, http.MethodGet, "https://late.example.com/page", "")
	f.send(c, http.MethodGet, "https://early.example.com/page", "")
	dealtWith := func(n *earlyNode) bool {
		return n.outcome(t, "refused") > 0 && n.outcome(t, "waited") > 1 && n.outcome(t, "served") > 0
	}
	eventually(t, "the first node deals with early data", func() bool {
		return dealtWith(f.nodes[0]) && f.origin.count("early GET /page") == 1
	})
	eventually(t, "the other node deals with the same again", func() bool {
		w.replay(t, f.nodes[1])
		return dealtWith(f.nodes[1]) && f.origin.count("early GET /page") > 1
	})
	for _, what := range []string{"POST /order", "early POST /order", "GET /page"} {
		if n := f.origin.count(what); n != 0 {
			t.Errorf("%s ran %d times, for clients that nobody has heard from", what, n)
		}
	}
	w.release()
	c.shaken(t)
	if status, _, _ := f.answer(f.send(c, http.MethodPost, "https://early.example.com/order", "one shoe")); status != http.StatusOK {
		t.Errorf("after the handshake: %d", status)
	}
	eventually(t, "what waited is answered once", func() bool {
		return f.origin.count("GET /page") == 1 && f.origin.count("POST /order") > 1
	})
	if n := f.origin.count("POST /order"); n != 2 { // that, and the one to late.example.com
		t.Errorf("POST /order ran %d times, want each of two once", n)
	}
}

func TestEarlyData(t *testing.T) {
	f := newEarlyFleet(t)
	f.settle()
	if status, _, _ := f.answer(f.send(f.dial(f.nodes[1].addr).shaken(t), http.MethodGet, "https://early.example.com/stored", "")); status != http.StatusOK {
		t.Fatal(status)
	}
	w := newWire(t, f.nodes[1])
	c := f.dial(w)
	page := f.send(c, http.MethodGet, "https://early.example.com/page", "")
	head := f.send(c, http.MethodHead, "https://early.example.com/head", "")
	stored := f.send(c, http.MethodGet, "https://early.example.com/stored", "")
	later := f.send(c, http.MethodGet, "https://early.example.com/later", "")
	content := f.send(c, http.MethodGet, "https://early.example.com/content", "x")
	late := f.send(c, http.MethodGet, "https://late.example.com/page", "")
	n := f.nodes[1]
	eventually(t, "everything is dealt with", func() bool {
		return n.outcome(t, "served") == 4 && n.outcome(t, "refused") == 1 && n.outcome(t, "waited") == 1 && f.origin.count("early GET /later") == 1
	})
	if n := f.origin.count("GET /page"); n != 0 {
		t.Errorf("a site without early data asked its origin %d times before the handshake was complete", n)
	}
	w.release()
	for _, x := range []struct {
		what   string
		stream *http3.RequestStream
		status int
		from   string
		want   string
	}{
		{"a page", page, 200, "ams-1; fwd=uri-miss; fwd-status=200; detail=no-store", "early GET /page"},
		{"HEAD", head, 200, "ams-1; fwd=uri-miss; fwd-status=200", ""},
		{"what is stored", stored, 200, "ams-1; hit; ttl=60", "GET /stored"},
		{"the origin's 425", later, 425, "ams-1; fwd=uri-miss; fwd-status=425; detail=status", "early GET /later"},
		{"GET with content", content, 425, "", ""},
		{"a site without", late, 200, "ams-1; fwd=uri-miss; fwd-status=200; detail=no-store", "GET /page"},
	} {
		status, from, content := f.answer(x.stream)
		if x.what == "what is stored" && len(from) > len("ams-1; hit") {
			from, x.from = from[:len("ams-1; hit")], "ams-1; hit"
		}
		if status != x.status || from != x.from || x.want != "" && content != x.want {
			t.Errorf("%s: %d, %q, %q; want %d, %q, %q", x.what, status, from, content, x.status, x.from, x.want)
		}
	}
	if status, _, content := f.answer(f.send(c, http.MethodGet, "https://early.example.com/later", "")); status != 200 || content != "GET /later" {
		t.Errorf("later, after all: %d %q", status, content)
	}
}
