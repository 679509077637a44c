package bgptest_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

const (
	routerAS  = 64496
	speakerAS = 64512
)

func start(t *testing.T) *bgptest.Router {
	t.Helper()
	r, err := bgptest.Start(bgptest.Options{ASN: routerAS, PeerASN: speakerAS}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// dial connects to r and takes its OPEN.
func dial(t *testing.T, r *bgptest.Router) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", netip.AddrPortFrom(r.Address(), r.Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, conn); m.Header.Type != gobgp.BGP_MSG_OPEN {
		t.Fatalf("the router begins with a message of type %d", m.Header.Type)
	}
	return conn
}

func receive(t *testing.T, conn net.Conn) *gobgp.BGPMessage {
	t.Helper()
	data := make([]byte, gobgp.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(conn, data); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(data[16])<<8+int(data[17])-len(data))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	m, err := gobgp.ParseBGPMessage(append(data, body...))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bytesOf(t *testing.T, m *gobgp.BGPMessage, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t *testing.T, asn uint16) []byte {
	t.Helper()
	m, err := gobgp.NewBGPOpenMessage(asn, 9, netip.MustParseAddr("192.0.2.11"), nil)
	return bytesOf(t, m, err)
}

func send(t *testing.T, conn net.Conn, data []byte) {
	t.Helper()
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
}

// A speaker that makes no sense gets no session, and the next one is served.
func TestNonsense(t *testing.T) {
	r := start(t)
	keepalive := bytesOf(t, gobgp.NewBGPKeepAliveMessage(), nil)
	marker := strings.Repeat("\xff", 16)
	for what, data := range map[string][]byte{
		"a length below the header's": []byte(marker + "\x00\x05\x04"),
		"a length beyond 4096":        []byte(marker + "\xff\xff\x04"),
		"an unknown type":             []byte(marker + "\x00\x13\x2a"),
		"a truncated OPEN":            []byte(marker + "\x00\x14\x01\x04"),
		"KEEPALIVE before OPEN":       keepalive,
		"an OPEN of another AS":       open(t, 65000),
		"no KEEPALIVE after the OPEN": append(open(t, speakerAS), open(t, speakerAS)...),
	} {
		conn := dial(t, r)
		send(t, conn, data)
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset by peer") {
			t.Errorf("%s: the router doesn't end the connection: %v", what, err)
		}
		if s := r.Session(); s.Up || s.Count != 0 {
			t.Errorf("%s: session %+v", what, s)
		}
	}

	conn := dial(t, r)
	send(t, conn, append(open(t, speakerAS), keepalive...))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := r.Wait(ctx, func() bool { return r.Session().Up }); err != nil {
		t.Fatalf("a sound session after the others: %v, %+v", err, r.Session())
	}
	second := dial(t, r)
	send(t, second, append(open(t, speakerAS), keepalive...))
	if m := receive(t, second); m.Header.Type == gobgp.BGP_MSG_KEEPALIVE {
		m = receive(t, second)
		if n, ok := m.Body.(*gobgp.BGPNotification); !ok || n.ErrorCode != gobgp.BGP_ERROR_CEASE || n.ErrorSubcode != gobgp.BGP_ERROR_SUB_CONNECTION_REJECTED {
			t.Errorf("a second session got %+v, want Cease/Connection Rejected", m.Body)
		}
	}
	if s := r.Session(); !s.Up || s.Count != 1 || s.HoldTime != 9*time.Second {
		t.Errorf("the first session after a second one: %+v", s)
	}
}

func TestNeedsASessionToAnnounce(t *testing.T) {
	r := start(t)
	if err := r.Announce(netip.MustParsePrefix("198.51.100.0/24")); err == nil {
		t.Error("announced to nobody")
	}
}

func TestPortInUse(t *testing.T) {
	r := start(t)
	if _, err := bgptest.Start(bgptest.Options{ASN: routerAS, PeerASN: speakerAS, Port: r.Port()}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("two routers on one port")
	}
}

func TestRouteString(t *testing.T) {
	med, pref := uint32(65535), uint32(0)
	r := bgptest.Route{
		Prefix: netip.MustParsePrefix("198.51.100.0/24"), NextHop: netip.MustParseAddr("192.0.2.11"), ASPath: []uint32{64512, 64512},
		MED: &med, LocalPref: &pref, Communities: []string{"65535:0", "64512:1:2"},
	}
	want := "198.51.100.0/24 via 192.0.2.11  as-path 64512 64512  med 65535  local-pref 0  65535:0 (graceful shutdown)  64512:1:2"
	if got := r.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !r.HasCommunity("64512:1:2") || r.HasCommunity("64512:1") {
		t.Error("HasCommunity")
	}
}
