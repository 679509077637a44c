package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// BenchmarkIdle is what a node keeps for each connection that is idle, after one request of each kind: for what is stored,
// and for what isn't. The node is a process of its own, so that the clients' memory isn't in it. IDLE is how many there are,
// 1,000 if it isn't set.
func BenchmarkIdle(b *testing.B) {
	for _, path := range []string{"/stored", "/passed"} {
		for _, c := range []struct {
			name string
			dial func(*idleNode) (http.RoundTripper, io.Closer)
		}{{"h1", (*idleNode).dialH1}, {"h2", (*idleNode).dialH2}, {"h3", (*idleNode).dialH3}} {
			b.Run(c.name+path, func(b *testing.B) { benchmarkIdle(b, c.dial, path) })
		}
	}
}

// idleRest is longer than a connection is quiet before it rests.
const idleRest = 12 * time.Second

func benchmarkIdle(b *testing.B, dial func(*idleNode) (http.RoundTripper, io.Closer), path string) {
	connections := 1000
	if s := os.Getenv("IDLE"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		connections = n
	}
	for b.Loop() {
		n := startIdleNode(b)
		open := func(connections int) {
			for range connections {
				over, c := dial(n)
				b.Cleanup(func() { _ = c.Close() })
				n.ask(over, path)
			}
		}
		open(20) // what is made once isn't the connections'
		before := n.memory()
		open(connections)
		time.Sleep(idleRest)
		after := n.memory()
		for name, octets := range after {
			b.ReportMetric((octets-before[name])/float64(connections)/1024, name+"-KiB/connection")
		}
	}
}

// idleNode is a node as a process.
type idleNode struct {
	b              *testing.B
	process        *os.Process
	address, admin string
	udp            *quic.Transport // of all H3 clients
	dialed         int             // connections over TCP
}

const idleConfig = `node: {name: test-1, metro: lab, address: 127.0.0.1}
vips:
  www: {addresses: [127.0.0.1], https: %d}
tls: {certificates: [{cert: %[2]s/cert.pem, key: %[2]s/key.pem}]}
origins:
  shop: {servers: ["%[3]s"]}
sites:
  shop: {hosts: [shop.example.com], origin: shop}
admin: {listen: "%[4]s"}
limits: {connections: 1000000, idle_timeout: 1h}
log: {level: error, access: off}
`

func startIdleNode(b *testing.B) *idleNode {
	b.Helper()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if w.Header().Set("Cache-Control", "no-store"); r.URL.Path == "/stored" {
			w.Header().Set("Cache-Control", "max-age=3600")
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 1024))
	}))
	b.Cleanup(origin.Close)
	dir, port := b.TempDir(), unusedPort(b)
	writePair(b, dir, "shop.example.com")
	n := &idleNode{b: b, address: fmt.Sprintf("127.0.0.1:%d", port), admin: fmt.Sprintf("127.0.0.1:%d", unusedPort(b))}
	file := filepath.Join(dir, "node.yaml")
	n.must(os.WriteFile(file, fmt.Appendf(nil, idleConfig, port, dir, origin.URL, n.admin), 0o600))
	self, err := os.Executable()
	n.must(err)
	c := exec.Command(self, "run", "-c", file)
	c.Env, c.Stderr = append(os.Environ(), asProgram+"=1"), os.Stderr
	n.must(c.Start())
	b.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	n.process = c.Process
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	n.must(err)
	n.udp = &quic.Transport{Conn: socket}
	b.Cleanup(func() { _ = n.udp.Close(); _ = socket.Close() })
	for end := time.Now().Add(10 * time.Second); refused(port); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("the node doesn't start")
		}
	}
	return n
}

func (n *idleNode) must(err error) {
	n.b.Helper()
	if err != nil {
		n.b.Fatal(err)
	}
}

func (n *idleNode) clientTLS(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "shop.example.com", NextProtos: []string{protocol}} //nolint:gosec // the node is ours
}

func (n *idleNode) dialH1() (http.RoundTripper, io.Closer) {
	c := tls.Client(n.dial(), n.clientTLS("http/1.1"))
	n.must(c.Handshake())
	return oneH1{c}, c
}

// dial connects over TCP, from another address where one has no more ports.
func (n *idleNode) dial() net.Conn {
	n.b.Helper()
	const ports = 20000
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+n.dialed/ports))}}
	n.dialed++
	c, err := d.DialContext(n.b.Context(), "tcp", n.address)
	n.must(err)
	return c
}

// oneH1 asks over one connection, and keeps nothing else of it.
type oneH1 struct{ net.Conn }

func (c oneH1) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Write(c); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(c), r)
}

func (n *idleNode) dialH2() (http.RoundTripper, io.Closer) {
	t := &http.Transport{
		DialContext:     func(context.Context, string, string) (net.Conn, error) { return n.dial(), nil },
		TLSClientConfig: n.clientTLS("h2"), Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP2(true)
	c, err := t.NewClientConn(n.b.Context(), "https", n.address)
	n.must(err)
	return c, c
}

func (n *idleNode) dialH3() (http.RoundTripper, io.Closer) {
	address, err := net.ResolveUDPAddr("udp", n.address)
	n.must(err)
	c, err := n.udp.Dial(n.b.Context(), address, n.clientTLS("h3"), &quic.Config{MaxIdleTimeout: time.Hour})
	n.must(err)
	return new(http3.Transport).NewClientConn(c), closeQUIC{c}
}

type closeQUIC struct{ *quic.Conn }

func (c closeQUIC) Close() error { return c.CloseWithError(0, "") }

func (n *idleNode) ask(over http.RoundTripper, path string) {
	n.b.Helper()
	r, err := http.NewRequest(http.MethodGet, "https://shop.example.com"+path, nil)
	n.must(err)
	resp, err := over.RoundTrip(r)
	n.must(err)
	_, err = io.Copy(io.Discard, resp.Body)
	n.must(err)
	n.must(resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		n.b.Fatal(resp.Status)
	}
}

// memory is what the node has in use after collections, in octets, by kind.
func (n *idleNode) memory() map[string]float64 {
	n.b.Helper()
	var profile string
	for range 2 { // a pool gives back after the second
		resp, err := http.Get("http://" + n.admin + "/debug/pprof/heap?gc=1&debug=1")
		n.must(err)
		text, err := io.ReadAll(resp.Body)
		n.must(err)
		n.must(resp.Body.Close())
		profile = string(text)
	}
	kinds := map[string]float64{"heap": number(n.b, profile, "# HeapAlloc = "), "stack": number(n.b, profile, "# Stack = ")}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.process.Pid)); err == nil {
		kinds["resident"] = number(n.b, string(status), "VmRSS:") * 1024
	}
	return kinds
}

// number is what stands behind a label.
func number(b *testing.B, text, label string) float64 {
	b.Helper()
	_, after, _ := strings.Cut(text, label)
	fields := strings.Fields(after)
	if len(fields) == 0 {
		b.Fatalf("no %q in %q", label, text)
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
