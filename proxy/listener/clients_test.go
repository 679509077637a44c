package listener_test

import (
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/listener"
)

// TestConnectionsOfOneClient: a client has no more than its share of connections, over TCP and QUIC together, at whichever
// listener; one that is closed makes room.
func TestConnectionsOfOneClient(t *testing.T) {
	noLeak(t)
	clients := admission.NewShares(2)
	shared := func(c *listener.Config) { c.Clients = clients }
	a, b := serve(t, http.HandlerFunc(describe), shared), serve(t, http.HandlerFunc(describe), shared)
	first, err := net.Dial("tcp", a.http())
	must(t, err)
	defer first.Close()
	second, err := quic.DialAddr(t.Context(), a.https(), a.clientTLS("h3"), nil)
	must(t, err)
	eventually(t, "both are open", func() bool { return a.metric("connections") == 2 })

	if err := dialAndRead(b.http()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("beyond the limit: %v", err)
	}
	eventually(t, "it is counted", func() bool { return b.metric("connections_refused_total", "transport=tcp") == 1 })
	_, err = quic.DialAddr(t.Context(), b.https(), b.clientTLS("h3"), nil)
	if refused, ok := errors.AsType[*quic.TransportError](err); !ok || refused.ErrorCode != quic.ConnectionRefused {
		t.Errorf("beyond the limit: %v", err)
	}
	if b.metric("quic_retries_total", "reason=client") == 0 || b.metric("connections_refused_total", "transport=quic") == 0 {
		t.Error("a client of QUIC was refused before it proved its address, or not counted")
	}

	must(t, second.CloseWithError(0x100, ""))
	eventually(t, "there is room", func() bool { return !clients.Full(first.LocalAddr().(*net.TCPAddr).AddrPort().Addr()) })
	if r := wait(t, "an answer", fetch(b.client(listener.H2), "https://"+b.https()+"/")); r.err != nil {
		t.Error(r.err)
	}
}

// TestManyAtOnceOfOneClient: connections whose handshakes end together have no more than their client's share.
func TestManyAtOnceOfOneClient(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Clients = admission.NewShares(3) })
	results := make(chan error)
	const all = 12
	for range all {
		go func() {
			c, err := quic.DialAddr(t.Context(), e.https(), e.clientTLS("h3"), nil)
			if err == nil {
				results <- nil
				<-c.Context().Done() // until the listener's end, or refused
				return
			}
			results <- err
		}()
	}
	for range all {
		<-results
	}
	eventually(t, "all but three are refused", func() bool {
		return e.metric("connections") == 3 && e.metric("connections_refused_total", "transport=quic") >= all-3
	})
}

func dialAndRead(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	return err
}
