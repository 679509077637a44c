package bgp_test

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

func passwordFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bgp.pw")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func loopback(last byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, last}) }

// silent accepts connections and closes them at once, like a router that doesn't know us.
func silent(t *testing.T, a netip.Addr) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() { // ends when the listener is closed
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return uint16(ln.Addr().(*net.TCPAddr).Port)
}

// closedPort is a port where nobody listens.
func closedPort(t *testing.T, a netip.Addr) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return uint16(ln.Addr().(*net.TCPAddr).Port)
}

// secured starts a router with o, or skips the test where the kernel has no TCP MD5 for us.
func secured(t *testing.T, o bgptest.Options, name, passwordFile string) bgp.Peer {
	t.Helper()
	o.ASN, o.PeerASN = routerAS, ownAS
	r, err := bgptest.Start(o, slog.New(slog.DiscardHandler))
	if errors.Is(err, syscall.ENOPROTOOPT) || errors.Is(err, syscall.EPERM) {
		t.Skipf("this kernel has no TCP MD5 for us: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	p := peer(name, r, routerAS)
	p.PasswordFile = passwordFile
	return p
}

// What keeps a session from coming up is said in the operator's words, in Peers and in the journal. TCP MD5 with the right
// password, over IPv4 and IPv6, and GTSM from next door keep none.
func TestWhatKeepsASessionDown(t *testing.T) {
	t.Parallel()
	wrongAS := startRouter(t, bgptest.Options{Address: loopback(3), ASN: 64497})
	refuses := startRouter(t, bgptest.Options{Address: loopback(4), PeerASN: 65000})
	noLocal := peer("no-local", wrongAS, routerAS)
	noLocal.Address, noLocal.LocalAddress = loopback(6), netip.MustParseAddr("192.0.2.99")
	password := passwordFile(t, "s3cret\n")
	gtsm := secured(t, bgptest.Options{Address: loopback(9), GTSM: true}, "gtsm", "")
	gtsm.TTLSecurity = 1
	cases := []struct {
		peer bgp.Peer
		want string // "" for a session that comes up
	}{
		{bgp.Peer{Name: "nobody", Address: loopback(2), Port: closedPort(t, loopback(2)), ASN: routerAS}, "connection refused by 127.0.0.2 port "},
		{peer("wrong-as", wrongAS, routerAS), "wrong peer AS (OPEN 2/2): the router isn't in AS 64496, as bgp.peers[wrong-as].asn says"},
		{peer("refuses", refuses, routerAS), "the router refused our OPEN: does it expect AS 64512 (bgp.asn) from our address, in address family ipv4-unicast?"},
		{bgp.Peer{Name: "silent", Address: loopback(5), Port: silent(t, loopback(5)), ASN: routerAS}, "the router closes the connection without a word"},
		{noLocal, "local_address 192.0.2.99 is on no interface of this host"},
		{secured(t, bgptest.Options{Address: loopback(7), Password: "another"}, "wrong-password", password), "authentication? TCP never completes: check password_file on both sides"},
		{secured(t, bgptest.Options{Address: loopback(8), Password: "s3cret"}, "no-password", ""), "or the router wants a TCP MD5 password"},
		{secured(t, bgptest.Options{Password: "s3cret"}, "right-password", password), ""},
		{secured(t, bgptest.Options{Address: netip.IPv6Loopback(), Password: "s3cret"}, "right-password-6", password), ""},
		{gtsm, ""},
	}
	var peers []bgp.Peer
	for _, c := range cases {
		peers = append(peers, c.peer)
	}
	s := startSpeaker(t, options(peers...), prefix4)
	if n := len(s.Sessions()); n != len(cases) {
		t.Errorf("%d sessions", n)
	}
	for _, c := range cases {
		up := c.want == ""
		s.await(c.peer.Name+": "+c.want, func() bool {
			p := s.peer(c.peer.Name)
			return (p.State == "established") == up && strings.Contains(p.LastError, c.want)
		})
		if p := s.peer(c.peer.Name); p.Flaps != 0 || len(p.AdjOut) != 0 || up && p.LastError != "" {
			t.Errorf("%s: %+v", c.peer.Name, p)
		}
		if !strings.Contains(s.journalText(), c.want) {
			t.Errorf("the journal doesn't say %q:\n%s", c.want, s.journalText())
		}
	}
}

// One router says goodbye, one crashes, one freezes: the session's end is told with its reason, and when
// the router is back so are the session and the routes. Another router's session doesn't notice.
func TestRouterRestarts(t *testing.T) {
	t.Parallel()
	steady := startRouter(t, bgptest.Options{})
	shut := startRouter(t, bgptest.Options{Address: loopback(2)})
	killed := startRouter(t, bgptest.Options{Address: loopback(3)})
	frozen := startRouter(t, bgptest.Options{Address: loopback(4), HoldTime: 3 * time.Second})
	s := startSpeaker(t, options(
		peer("steady", steady, routerAS), peer("shut", shut, routerAS), peer("killed", killed, routerAS), peer("frozen", frozen, routerAS),
	), prefix4)
	s.set(routing.Depreferred, prefix4)
	s.established()
	for _, r := range []*bgptest.Router{shut, killed, frozen} {
		waitTable(t, r, 1) // a session is up at the speaker a moment before it is at the router
	}

	shut.Shutdown("maintenance\nuntil 5")
	killed.Kill()
	frozen.Freeze()
	for name, want := range map[string]string{
		"shut":   `peer sent Cease/Administrative Shutdown: "maintenance\nuntil 5"`,
		"killed": "the router closed the connection without a NOTIFICATION",
		"frozen": "hold timer expired: the router fell silent",
	} {
		s.await(want, func() bool { return strings.Contains(s.peer(name).LastError, want) })
		if p := s.peer(name); p.Flaps != 1 || p.State == "established" || len(p.AdjOut) != 0 {
			t.Errorf("%s: %+v", name, p)
		}
		if !strings.Contains(s.journalText(), "down: "+want) {
			t.Errorf("the journal doesn't say that %s is down:\n%s", name, s.journalText())
		}
	}

	shut = startRouter(t, bgptest.Options{Address: loopback(2), Port: shut.Port()})
	killed = startRouter(t, bgptest.Options{Address: loopback(3), Port: killed.Port()})
	for _, r := range []*bgptest.Router{shut, killed} {
		if got := waitTable(t, r, 1)[0]; !got.HasCommunity("65535:0") {
			t.Errorf("after the restart: %s", got)
		}
	}
	if steady.Session().Count != 1 || len(steady.Updates()) != 1 {
		t.Errorf("the steady router saw %+v and %+v", steady.Session(), steady.Updates())
	}
	states := s.Peers()
	if !slices.ContainsFunc(states, func(p routing.Peer) bool { return strings.HasPrefix(p.LastError, "peer sent Cease") }) {
		t.Errorf("why the last session ended is forgotten: %+v", states)
	}
}
