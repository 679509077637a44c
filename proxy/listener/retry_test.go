package listener_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/listener"
)

// tokens is a client's store of tokens that says when one has come.
type tokens struct {
	quic.TokenStore
	came chan struct{}
}

func newTokens() *tokens { return &tokens{quic.NewLRUTokenStore(1, 1), make(chan struct{}, 16)} }

func (s *tokens) Put(key string, token *quic.ClientToken) {
	s.TokenStore.Put(key, token)
	s.came <- struct{}{}
}

// shake shakes hands with e, with a token of store and for one.
func (e *edge) shake(store *tokens) {
	e.t.Helper()
	c, err := quic.DialAddr(e.t.Context(), e.https(), e.clientTLS("h3"), &quic.Config{TokenStore: store})
	must(e.t, err)
	wait(e.t, "a token comes", store.came)
	must(e.t, c.CloseWithError(0x100, ""))
}

// keyed makes a listener's tokens hold wherever secret is the same.
func keyed(secret string, h *listener.Handshakes) func(*listener.Config) {
	return func(c *listener.Config) { c.TokenKey, c.Handshakes = key(secret, "token"), h }
}

func TestTokensHoldAtTheOtherNode(t *testing.T) {
	page := http.HandlerFunc(describe)
	always := listener.NewHandshakes(0, 5000)
	for _, c := range []struct {
		first string // the secret of the node that gives the token
		retry bool
	}{{"one", false}, {"two", true}} {
		a, b, store := serve(t, page, keyed(c.first, nil)), serve(t, page, keyed("one", always)), newTokens()
		a.shake(store)
		b.shake(store)
		// One for each packet of the ClientHello.
		if got := b.metric("quic_retries_total", "reason=unfinished"); (got > 0) != c.retry {
			t.Errorf("a token of secret %s: %v Retries", c.first, got)
		}
		if got := b.metric("quic_addresses_proven_total"); got != 1 { // by the token, or by that of the Retry
			t.Errorf("a token of secret %s: %v addresses proven, want 1", c.first, got)
		}
		if a.metric("quic_retries_total")+a.metric("quic_addresses_proven_total") != 0 {
			t.Error("a node at rest asked for a proof")
		}
	}
}

// deaf is a socket that hears nothing.
type deaf struct {
	net.PacketConn
	closed chan struct{}
}

func (d deaf) ReadFrom([]byte) (int, net.Addr, error) {
	<-d.closed
	return 0, nil, net.ErrClosed
}

// hang begins a handshake that will not end, until the returned function is called.
func (e *edge) hang() (stop func()) {
	e.t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(e.t, err)
	d := deaf{socket, make(chan struct{})}
	ctx, cancel := context.WithCancel(e.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		addr, err := net.ResolveUDPAddr("udp4", e.https())
		if err == nil {
			_, _ = quic.Dial(ctx, d, addr, e.clientTLS("h3"), nil)
		}
	}()
	return func() {
		cancel()
		close(d.closed)
		<-ended
		_ = socket.Close()
	}
}

// Clients must prove their addresses while too many handshakes hang, and only then.
func TestRetryWhileHandshakesHang(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) {
		c.Limits.HeaderTimeout = time.Second
		c.Handshakes = listener.NewHandshakes(1, 5000)
	})
	e.get(listener.H3)
	if n := e.metric("quic_retries_total"); n != 0 {
		t.Fatalf("%v Retries at rest", n)
	}
	eventually(t, "no handshake is unfinished", func() bool { return e.metric("quic_handshakes") == 0 })
	eventually(t, "a client proves its address", func() bool { // a handshake may be given up before the client comes
		stop := e.hang()
		defer stop()
		eventually(t, "a handshake hangs", func() bool { return e.metric("quic_handshakes") > 0 })
		e.get(listener.H3)
		return e.metric("quic_retries_total", "reason=unfinished") > 0 && e.metric("quic_addresses_proven_total") > 0
	})
	eventually(t, "the handshakes are given up", func() bool { return e.metric("quic_handshakes") == 0 })
}

func TestRetryAboveRate(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) {
		c.Handshakes = listener.NewHandshakes(1000, 1e-6) // one handshake, and then none for long
	})
	for i := range 3 {
		if n := e.metric("quic_retries_total", "reason=rate"); (n > 0) != (i > 1) {
			t.Errorf("%v Retries after %d handshakes", n, i)
		}
		e.get(listener.H3)
	}
}

func TestTokenKeyMustHave32Octets(t *testing.T) {
	e := newEdge(t, http.HandlerFunc(describe))
	config := e.config
	config.TokenKey = make([]byte, 31)
	if l, err := listener.Open(config); err == nil {
		_ = l.Shutdown(t.Context())
		t.Error("a short key was taken")
	}
}
