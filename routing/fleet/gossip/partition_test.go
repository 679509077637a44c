package gossip_test

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

// road is the way to a node, by TCP and UDP: what is sent to it comes to the node, unless it is cut.
type road struct {
	at  netip.AddrPort
	to  atomic.Pointer[netip.AddrPort]
	cut atomic.Bool
}

// newRoad is a road that leads nowhere yet.
func newRoad(t *testing.T) *road {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{at: ln.Addr().(*net.TCPAddr).AddrPort()}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(r.at))
	if err != nil {
		t.Skip("the port is taken for UDP: ", err)
	}
	var loops sync.WaitGroup
	loops.Go(func() { r.streams(ln) })
	loops.Go(func() { r.packets(udp) })
	t.Cleanup(func() { // both loops end with their sockets
		_ = ln.Close()
		_ = udp.Close()
		loops.Wait()
	})
	return r
}

func (r *road) packets(c *net.UDPConn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if to := r.to.Load(); to != nil && !r.cut.Load() {
			_, _ = c.WriteToUDPAddrPort(buffer[:n], *to)
		}
	}
}

func (r *road) streams(ln net.Listener) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		open.Go(func() { r.stream(c) })
	}
}

// stream carries one connection; memberlist's ends close theirs.
func (r *road) stream(c net.Conn) {
	defer c.Close()
	to := r.to.Load()
	if to == nil || r.cut.Load() {
		return
	}
	d, err := net.Dial("tcp", to.String())
	if err != nil {
		return
	}
	defer d.Close()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, d)
		_ = c.Close()
	})
	_, _ = io.Copy(d, c)
	_ = d.Close()
	back.Wait()
}

// TestThePartitionHeals: nodes that lose each other say so, and find each other again by themselves, with what was said
// meanwhile.
func TestThePartitionHeals(t *testing.T) {
	t.Parallel()
	toA, toB := newRoad(t), newRoad(t)
	a := startBehind(t, toA, "ams-1")
	b := startBehind(t, toB, "fra-1", toA.at.String())
	await(t, "each sees the other", func() bool { return len(a.Members()) == 1 && len(b.Members()) == 1 })
	toA.cut.Store(true)
	toB.cut.Store(true)
	await(t, "each takes the other for failed", func() bool {
		return a.member("fra-1").Status == gossip.Failed && b.member("ams-1").Status == gossip.Failed
	})
	if err := b.Publish([]byte("alone")); err != nil {
		t.Fatal(err)
	}
	heard := a.member("fra-1").Heard
	toA.cut.Store(false)
	toB.cut.Store(false)
	await(t, "they see each other again", func() bool {
		m := a.member("fra-1")
		return m.Status == gossip.Alive && string(m.State) == "alone" && m.Heard.After(heard) && b.member("ams-1").Status == gossip.Alive
	})
}
