package listener_test

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/ipv4"

	"github.com/anyedge/anyedge/proxy/listener"
)

// steering counts what passes it.
type steering struct {
	vip          netip.AddrPort
	key          quic.StatelessResetKey
	refuse       bool
	read, made   atomic.Int64
	madeBy       [64]atomic.Int64 // workers
	wraps, close atomic.Int64
	detoured     atomic.Pointer[netip.AddrPort]
}

func (s *steering) Wrap(socket *net.UDPConn, vip netip.AddrPort, _ uint8) (listener.Reader, error) {
	if s.refuse {
		return nil, errors.New("no")
	}
	s.wraps.Add(1)
	s.vip = vip
	return &countingReader{socket, ipv4.NewPacketConn(socket), s}, nil
}

func (s *steering) ConnectionIDs(worker uint8) quic.ConnectionIDGenerator {
	return generator{s, worker}
}

func (s *steering) ResetKey(netip.AddrPort) *quic.StatelessResetKey { return &s.key }

type generator struct {
	s      *steering
	worker uint8
}

func (g generator) ConnectionIDLen() int { return 17 }

func (g generator) GenerateConnectionID() (quic.ConnectionID, error) {
	g.s.made.Add(1)
	g.s.madeBy[g.worker].Add(1)
	b := make([]byte, 17)
	_, err := rand.Read(b)
	return quic.ConnectionIDFromBytes(b), err
}

type countingReader struct {
	*net.UDPConn
	batch *ipv4.PacketConn
	s     *steering
}

func (r *countingReader) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	n, err := r.batch.ReadBatch(ms, flags)
	r.s.read.Add(int64(n))
	return n, err
}

func (r *countingReader) Detoured() []netip.AddrPort {
	if a := r.s.detoured.Load(); a != nil {
		return []netip.AddrPort{*a}
	}
	return nil
}

func (r *countingReader) Close() error {
	r.s.close.Add(1)
	return r.UDPConn.Close()
}

// With steering, what it reads is served, under connection IDs that it makes; it closes the socket at the end.
func TestSteeringReadsTheSocket(t *testing.T) {
	s := &steering{}
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
		func(c *listener.Config) { c.Steering = s })
	c := e.client(listener.H3)
	resp, err := c.Get("https://" + e.https() + "/")
	must(t, err)
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if s.read.Load() == 0 || s.made.Load() == 0 || s.wraps.Load() == 0 || s.vip.String() != e.https() {
		t.Errorf("%d datagrams, %d connection IDs, %d sockets, VIP %v", s.read.Load(), s.made.Load(), s.wraps.Load(), s.vip)
	}
	e.cut()
	if s.close.Load() == 0 {
		t.Error("the socket isn't closed by who wrapped it")
	}
}

// A socket that can't be steered isn't opened.
func TestSteeringRefuses(t *testing.T) {
	c := listener.Config{
		VIP: "www", TLS: newEdge(t, nil).config.TLS, Steering: &steering{refuse: true}, Log: slog.New(slog.DiscardHandler),
		Options: listener.Options{Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, HTTPS: freePort(t)},
	}
	c.Limits.SetDefaults()
	if _, err := listener.Open(c); err == nil || !strings.Contains(err.Error(), "no") {
		t.Fatal(err)
	}
	c.Steering = &steering{}
	l, err := listener.Open(c)
	must(t, err) // the sockets were closed
	must(t, l.Shutdown(t.Context()))
}

// A connection that has lived on a detour for too long gets GOAWAY, once; what is under way is answered, and the others
// stay.
func TestRehoming(t *testing.T) {
	s, h := &steering{}, newHolder()
	e := serve(t, h, func(c *listener.Config) { c.Steering = s })
	stays, moves := e.h3Conn(), e.h3Conn()
	frames := controlFrames(t, t.Context(), moves)
	wait(t, "SETTINGS arrive", frames)
	client := (&http3.Transport{}).NewClientConn(moves)
	answer := make(chan result, 1)
	go func() {
		req, err := http.NewRequest(http.MethodGet, "https://"+e.https()+"/", nil)
		if err != nil {
			answer <- result{err: err}
			return
		}
		r, err := client.RoundTrip(req)
		if err != nil {
			answer <- result{err: err}
			return
		}
		b, err := io.ReadAll(r.Body)
		answer <- result{r.StatusCode, false, string(b), err}
	}()
	h.waitBegun(t)
	at := netip.MustParseAddrPort(moves.LocalAddr().String())
	at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	s.detoured.Store(&at)
	if f := wait(t, "GOAWAY arrives", frames); f != [2]uint64{frameGoAway, 4} {
		t.Errorf("frame %#x %d, want GOAWAY 4", f[0], f[1])
	}
	close(h.end)
	if r := wait(t, "the answer under way", answer); r.err != nil || r.body != "done" {
		t.Errorf("%+v", r)
	}
	wait(t, "the connection ends", moves.Context().Done())
	if err := stays.Context().Err(); err != nil {
		t.Errorf("another connection ended: %v", err)
	}
	if n := e.metric("quic_rehomed_total"); n != 1 {
		t.Errorf("%v connections counted", n)
	}
}
