package origin_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/anyedge/anyedge/proxy/origin"
)

// names is a DNS server that gives the same addresses for every name; without any, names don't exist.
func names(t *testing.T, addresses *atomic.Pointer[[]netip.Addr]) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if reply := dnsReply(b[:n], *addresses.Load()); reply != nil {
				_, _ = c.WriteTo(reply, from)
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

func dnsReply(query []byte, addresses []netip.Addr) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) == 0 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	if len(addresses) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addresses {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

func addresses(list ...string) *atomic.Pointer[[]netip.Addr] {
	var a []netip.Addr
	for _, s := range list {
		a = append(a, netip.MustParseAddr(s))
	}
	p := new(atomic.Pointer[[]netip.Addr])
	p.Store(&a)
	return p
}

func named(server string) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(server, "http://"), ":")
	return "http://origin.example.com:" + port
}

func TestNameIsNotThere(t *testing.T) {
	resolver := names(t, addresses())
	b := open(t, func(o *origin.Options) { hurry(o); o.Resolver = resolver }, "http://origin.example.com")
	_, _, err := b.fetch(get(t))
	wantError(t, err, origin.DNSError, 502)
}

func TestSilentNameServer(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", silent.LocalAddr().String())
	}}
	b := open(t, func(o *origin.Options) { hurry(o); o.Resolver = resolver }, "http://origin.example.com")
	_, _, err = b.fetch(get(t))
	wantError(t, err, origin.DNSTimeout, 504)
}

// Of several addresses, one that answers is enough.
func TestSeveralAddresses(t *testing.T) {
	s := serve(t, describe)
	resolver := names(t, addresses("127.0.0.2", "127.0.0.1"))
	b := open(t, func(o *origin.Options) { o.Resolver = resolver }, named(s.URL))
	b.must(t, get(t))
}

func TestLocalAddress(t *testing.T) {
	peer := func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = w.Write([]byte(host))
	}
	s := serve(t, peer)
	resolver := names(t, addresses("127.0.0.1"))
	for _, c := range []struct{ name, server, local, want string }{
		{"address", s.URL, "127.0.0.3", "127.0.0.3"},
		{"name", named(s.URL), "127.0.0.3", "127.0.0.3"},
		{"address of the other family", s.URL, "::1", "127.0.0.1"},
		{"name with addresses of the other family alone", named(s.URL), "::1", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, func(o *origin.Options) { o.Resolver, o.LocalAddress = resolver, netip.MustParseAddr(c.local) }, c.server)
			if _, got := b.must(t, get(t)); got != c.want {
				t.Errorf("dialled from %s, want %s", got, c.want)
			}
		})
	}
}
