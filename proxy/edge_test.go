package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/h3"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/proxy/origin"
)

// newPool returns the real pool of one server.
func newPool(t *testing.T, server string, adjust ...func(*origin.Options)) proxy.Pool {
	var o origin.Options
	o.SetDefaults()
	o.Servers = []string{server}
	for _, f := range adjust {
		f(&o)
	}
	p, err := origin.New("backend", o, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// roundTripper is a pool made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// edge is a chain behind real servers for H1, H2 and H3 over TLS and H1 without.
type edge struct {
	*proxy.Server
	addr  string // of H1 and H2 over TLS, and of H3
	loop  string // of H1 over TLS with the loop for hits before net/http
	hits  *countingFinder
	plain string
	roots *x509.CertPool
}

// protocols are the ways to an edge. h1-loop, h2-loop and h3-loop are those with the loop for hits.
var protocols = []string{"h1", "h1-loop", "h2", "h2-loop", "h3", "h3-loop"}

const vip = "www"

func newEdge(t *testing.T, o proxy.ChainOptions) *edge {
	t.Helper()
	if o.Node == "" {
		o.Node = "ams-1"
	}
	if o.Cache == nil {
		o.Cache = newCache(t, o.Node)
	}
	chain, err := proxy.NewChain(o)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{Server: proxy.NewServer(), roots: x509.NewCertPool()}
	e.Swap(chain)
	e.serveTCP(t)
	e.servePlain(t)
	return e
}

func newCache(t *testing.T, node string) *cache.Cache {
	var options cache.Options
	options.SetDefaults()
	c := cache.New(options, node, memory.New(options.Memory), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// onlyOrigin are the options of a chain that leads everything to one server.
func onlyOrigin(t *testing.T, server string) proxy.ChainOptions {
	return withPool(newPool(t, server))
}

func withPool(p proxy.Pool) proxy.ChainOptions {
	return proxy.ChainOptions{
		Sites: map[string]*proxy.SiteOptions{"shop": {Hosts: []string{"*"}, Origin: "backend"}},
		Pools: map[string]proxy.Pool{"backend": p},
	}
}

func (e *edge) serveTCP(t *testing.T) {
	s := httptest.NewUnstartedServer(e.Server)
	_ = s.Listener.Close()
	var udp net.PacketConn
	s.Listener, udp = listenBoth(t)
	s.EnableHTTP2 = true
	info := &listener.Info{VIP: vip, TLS: true, HTTPSPort: 443}
	s.Config.BaseContext = func(net.Listener) context.Context { return listener.WithInfo(context.Background(), info) }
	s.Config.DisableGeneralOptionsHandler = true
	e.serveH2(t, s.Config, nil, info)
	s.StartTLS()
	t.Cleanup(s.Close)
	e.addr = s.Listener.Addr().String()
	e.roots.AddCert(s.Certificate())
	e.serveQUIC(t, udp, nil, s.TLS.Certificates, info)
	e.serveLoop(t, s.TLS.Certificates, info)
}

// listenBoth binds one port for TCP and UDP. The test ends the latter.
func listenBoth(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 100 { // others have ports of UDP
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", ln.Addr().String())
		if err == nil {
			t.Cleanup(func() { _ = udp.Close() })
			return ln, udp
		}
		_ = ln.Close()
	}
	t.Fatal("no port is free for both TCP and UDP")
	return nil, nil
}

func (e *edge) serveQUIC(t *testing.T, udp net.PacketConn, hits *hitpath.Server, certs []tls.Certificate, info *listener.Info) {
	config := &quic.Config{RequireStreamCreditRelease: true, MaxIncomingStreams: 100, MaxIncomingUniStreams: 10}
	ln, err := quic.ListenEarly(udp, http3.ConfigureTLSConfig(&tls.Config{Certificates: certs}), config)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	serving.Go(func() {
		for {
			c, err := ln.Accept(ctx)
			if err != nil {
				return
			}
			h := h3.NewConn(c, h3.Config{
				Handler: e.Server, Hits: hits, Context: listener.WithInfo(c.Context(), info), Log: slog.New(slog.DiscardHandler),
				Header: 1 << 20, HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, SendIdle: time.Minute,
				Streams: 100, Begin: func() {}, End: func() {},
			})
			serving.Go(func() { _ = h.Serve() })
			context.AfterFunc(ctx, func() { _ = c.CloseWithError(0x100, "") })
		}
	})
	t.Cleanup(func() {
		stop()
		serving.Wait()
		_ = ln.Close()
	})
}

func (e *edge) servePlain(t *testing.T) {
	s := httptest.NewUnstartedServer(e.Server)
	info := &listener.Info{VIP: vip, HTTPSPort: 443}
	s.Config.BaseContext = func(net.Listener) context.Context { return listener.WithInfo(context.Background(), info) }
	s.Start()
	t.Cleanup(s.Close)
	e.plain = s.Listener.Addr().String()
}

// client speaks one protocol to the edge.
func (e *edge) client(t *testing.T, protocol string) *http.Client {
	config := &tls.Config{RootCAs: e.roots, ServerName: "example.com"}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	switch protocol {
	case "h3", "h3-loop":
		transport := &http3.Transport{TLSClientConfig: config, DisableCompression: true}
		if protocol == "h3-loop" {
			transport.Dial = func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
				return quic.DialAddrEarly(ctx, e.loop, t, q)
			}
		}
		t.Cleanup(func() { _ = transport.Close() })
		c.Transport = transport
	default:
		transport := &http.Transport{TLSClientConfig: config, DisableCompression: true, ForceAttemptHTTP2: strings.HasPrefix(protocol, "h2")}
		if strings.HasSuffix(protocol, "-loop") {
			transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, e.loop)
			}
		}
		t.Cleanup(transport.CloseIdleConnections)
		c.Transport = transport
	}
	return c
}

// request is one for e; target is sent as it stands.
func (e *edge) request(t *testing.T, method, host, target string, content io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+e.addr, content)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = target
	if strings.HasPrefix(target, "//") {
		r.URL.Opaque, r.URL.Path = "", target
	}
	r.Host = host
	return r
}

// do sends r and reads the whole response.
func do(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(content)
}

// get asks for https://example.com/ over protocol.
func (e *edge) get(t *testing.T, protocol string) (*http.Response, string) {
	t.Helper()
	return do(t, e.client(t, protocol), e.request(t, http.MethodGet, "example.com", "/", nil))
}

// seen is what a mirror saw.
type seen struct {
	Method, Host, Target, Content string
	Length                        int64
	Fields, Trailers              http.Header
}

// mirror starts an origin that answers with what it saw.
func mirror(t *testing.T) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{
			r.Method, r.Host, r.RequestURI, string(content), r.ContentLength, r.Header, r.Trailer,
		})
	}))
	s.Config.DisableGeneralOptionsHandler = true
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// serve starts an origin.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func parseSeen(t *testing.T, resp *http.Response, content string) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(content), &s); err != nil {
		t.Fatalf("status %d: %q: %v", resp.StatusCode, content, err)
	}
	return s
}

// eachProtocol runs f as a subtest over H1, H2 and H3.
func eachProtocol(t *testing.T, e *edge, f func(t *testing.T, protocol string, c *http.Client)) {
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) { f(t, p, e.client(t, p)) })
	}
}

var _ cache.Origin = (*proxy.Forwarder)(nil)
