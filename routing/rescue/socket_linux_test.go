package rescue_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/anyedge/anyedge/routing/rescue"
)

// The kernel tells a connection from a listener and from nothing, without privileges.
func TestHas(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		ln, err := net.Listen(network, map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network])
		if err != nil {
			t.Logf("%s: %v", network, err) // a host without IPv6
			continue
		}
		defer ln.Close()
		c, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		client, vip := addrPort(c.LocalAddr()), addrPort(ln.Addr())
		if has, err := rescue.Has(client, vip); !has || err != nil {
			t.Errorf("%s: a connection: %v, %v", network, has, err)
		}
		other := netip.AddrPortFrom(client.Addr(), client.Port()^1)
		if has, err := rescue.Has(other, vip); has || err != nil {
			t.Errorf("%s: beside a listener: %v, %v", network, has, err)
		}
		if has, err := rescue.Has(client, netip.AddrPortFrom(vip.Addr(), 1)); has || err != nil {
			t.Errorf("%s: of nobody: %v, %v", network, has, err)
		}
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	p := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
