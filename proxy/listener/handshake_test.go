package listener_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/listener"
	edgetls "github.com/anyedge/anyedge/tls"
)

func TestHandshakeResults(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.HeaderTimeout = 200 * time.Millisecond })
	shake := func(adjust func(*tls.Config)) {
		c := e.clientTLS("h2")
		adjust(c)
		if conn, err := tls.Dial("tcp", e.https(), c); err == nil {
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}
	raw := func(f func(*net.TCPConn)) {
		c, err := net.Dial("tcp", e.https())
		must(t, err)
		f(c.(*net.TCPConn))
		_ = c.Close()
	}
	for result, cause := range map[string]func(){
		"ok":       func() { shake(func(c *tls.Config) { c.NextProtos = nil }) },
		"refused":  func() { shake(func(c *tls.Config) { c.NextProtos = []string{"spdy/1"} }) },
		"rejected": func() { shake(func(c *tls.Config) { c.ServerName = "elsewhere.example.com" }) },
		"closed":   func() { raw(func(*net.TCPConn) {}) },
		"reset":    func() { raw(func(c *net.TCPConn) { _, _ = io.WriteString(c, "\x16"); _ = c.SetLinger(0) }) },
		"not_tls":  func() { raw(func(c *net.TCPConn) { _, _ = io.WriteString(c, "SSH-2.0-x\r\n") }) },
		"timeout":  func() { raw(func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1)) }) },
	} {
		cause()
		eventually(t, result+" is counted", func() bool {
			return e.metric("handshakes_total", "transport=tcp", "result="+result) == 1
		})
	}
}

func TestSlowHandshakesHoldUpNobody(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	for range 20 {
		c, err := net.Dial("tcp", e.https())
		must(t, err)
		defer c.Close()
	}
	e.get(listener.H1)
}

// resumes makes a TLS connection and says whether it resumed a session of the cache.
func (e *edge) resumes(cache tls.ClientSessionCache) bool {
	e.t.Helper()
	config := e.clientTLS("http/1.1")
	config.ClientSessionCache = cache
	c, err := tls.Dial("tcp", e.https(), config)
	must(e.t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	must(e.t, err)
	_, err = io.ReadAll(c) // takes the tickets
	must(e.t, err)
	return c.ConnectionState().DidResume
}

// resumesQUIC does the same over QUIC, whose tickets come after the handshake.
func (e *edge) resumesQUIC(cache *cache) bool {
	e.t.Helper()
	config := e.clientTLS("h3")
	config.ClientSessionCache = cache
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	c, err := quic.DialAddr(ctx, e.https(), config, nil)
	must(e.t, err)
	defer func() { _ = c.CloseWithError(0x100, "") }()
	wait(e.t, "a ticket over QUIC", cache.stored)
	return c.ConnectionState().TLS.DidResume
}

func TestSessionsResumeAcrossReload(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	tcp, udp := tls.NewLRUClientSessionCache(8), newCache()
	if e.resumes(tcp) || e.resumesQUIC(udp) {
		t.Fatal("resumed from nothing")
	}
	must(t, e.store.Replace(edgetls.Options{MinVersion: "1.3"}))
	if !e.resumes(tcp) {
		t.Error("tcp: no resumption after Replace")
	}
	if !e.resumesQUIC(udp) {
		t.Error("quic: no resumption after Replace")
	}
	for _, transport := range []string{"tcp", "quic"} {
		eventually(t, "resumption is counted", func() bool {
			return e.metric("tls_sessions_total", "transport="+transport, "resumed=true") == 1
		})
	}
}

func TestEarlyDataIsNotOffered(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	cache := newCache()
	e.resumesQUIC(cache)
	config := e.clientTLS("h3")
	config.ClientSessionCache = cache
	c, err := quic.DialAddrEarly(t.Context(), e.https(), config, nil)
	must(t, err)
	defer func() { _ = c.CloseWithError(0x100, "") }()
	wait(t, "the handshake", c.HandshakeComplete())
	if c.ConnectionState().Used0RTT {
		t.Error("0-RTT was accepted")
	}
}

// cache tells when a ticket was stored.
type cache struct {
	tls.ClientSessionCache
	stored chan struct{}
}

func newCache() *cache { return &cache{tls.NewLRUClientSessionCache(8), make(chan struct{}, 16)} }

func (c *cache) Put(key string, s *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, s)
	select {
	case c.stored <- struct{}{}:
	default:
	}
}
