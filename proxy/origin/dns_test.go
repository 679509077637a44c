package origin_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/proxy/origin"
)

func named(server string) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(server, "http://"), ":")
	return "http://origin.example.com:" + port
}

func TestNameIsNotThere(t *testing.T) {
	resolver := new(origin.Addresses).Set().Resolver()
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
	resolver := new(origin.Addresses).Set("127.0.0.2", "127.0.0.1").Resolver()
	b := open(t, func(o *origin.Options) { o.Resolver = resolver }, named(s.URL))
	b.must(t, get(t))
}

func TestLocalAddress(t *testing.T) {
	peer := func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = w.Write([]byte(host))
	}
	s := serve(t, peer)
	resolver := new(origin.Addresses).Set("127.0.0.1").Resolver()
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
