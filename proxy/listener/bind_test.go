package listener_test

import (
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/listener"
)

func TestOneSocketPerAddressAndProtocol(t *testing.T) {
	e := newEdge(t, http.HandlerFunc(describe), func(c *listener.Config) {
		c.Addresses = append(c.Addresses, netip.MustParseAddr("::1"))
	})
	var got []string
	for _, a := range e.Addrs() {
		got = append(got, a.Network()+" "+a.String())
	}
	https, http := e.https(), e.http()
	want := []string{
		"tcp " + https, "tcp " + strings.Replace(https, "127.0.0.1", "[::1]", 1),
		"udp " + https, "udp " + strings.Replace(https, "127.0.0.1", "[::1]", 1),
		"tcp " + http, "tcp " + strings.Replace(http, "127.0.0.1", "[::1]", 1),
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("bound %q, want %q", got, want)
	}
}

func TestAddressNotYetOnAnInterface(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("free-bind is Linux's")
	}
	for _, a := range []string{"198.51.100.10", "2001:db8:100::10"} {
		e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Addresses = []netip.Addr{netip.MustParseAddr(a)} })
		if n := len(e.Addrs()); n != 3 {
			t.Errorf("%s: %d sockets", a, n)
		}
		must(t, e.Shutdown(t.Context()))
		e.ended()
	}
}

func TestPortInUse(t *testing.T) {
	e := newEdge(t, http.HandlerFunc(describe))
	_, err := listener.Open(e.config)
	if err == nil {
		t.Fatal("two listeners have the same ports")
	}
	for _, want := range []string{
		"listen on " + e.https() + "/tcp: the port is in use: see by whom: ss -lntp",
		"listen on " + e.https() + "/udp: the port is in use: see by whom: ss -lnup",
		"listen on " + e.http() + "/tcp: the port is in use",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

func TestOpenBindsAllOrNothing(t *testing.T) {
	port := freePort(t)
	taken, err := net.ListenPacket("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	must(t, err)
	config := newEdge(t, http.HandlerFunc(describe)).config
	config.HTTPS, config.HTTP = port, freePort(t)
	if _, err := listener.Open(config); err == nil || strings.Contains(err.Error(), "/tcp") {
		t.Fatalf("Open: %v, want the UDP port alone in use", err)
	}
	must(t, taken.Close())
	l, err := listener.Open(config) // the TCP ports are free again
	must(t, err)
	must(t, l.Shutdown(t.Context()))
}

func TestHTTPSNeedsCertificates(t *testing.T) {
	config := newEdge(t, http.HandlerFunc(describe)).config
	config.TLS = nil
	if _, err := listener.Open(config); err == nil || !strings.Contains(err.Error(), "certificates") {
		t.Errorf("Open: %v", err)
	}
}

// An Initial of an unknown version makes the server answer at once: with Version Negotiation (RFC 9000, section 6.1).
func TestQUICAnswersFromTheVIP(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8 on lo")
	}
	vip := netip.MustParseAddr("127.10.20.30")
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Addresses = []netip.Addr{vip} })
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	initial := make([]byte, 1200)
	initial[0] = 0xc0
	binary.BigEndian.PutUint32(initial[1:], 0x1a2a3a4a)
	initial[5] = 8 // the length of the connection ID
	_, err = c.WriteToUDPAddrPort(initial, netip.MustParseAddrPort(e.https()))
	must(t, err)
	buf := make([]byte, 1500)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	must(t, err)
	if from.String() != e.https() {
		t.Errorf("answered from %s, want %s", from, e.https())
	}
	if n < 7 || binary.BigEndian.Uint32(buf[1:]) != 0 {
		t.Errorf("answered %x, want Version Negotiation", buf[:n])
	}
}
