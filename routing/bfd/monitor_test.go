package bfd_test

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/routing/bfd"
)

var (
	here  = netip.MustParseAddr("192.0.2.11")
	there = netip.MustParseAddr("192.0.2.1")
	here6 = netip.MustParseAddr("2001:db8::11")
)

// diary keeps the changes that a monitor tells of.
type diary struct {
	mu    sync.Mutex // guards the following field
	lines []string
}

func (d *diary) note(_ netip.Addr, c bfd.Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.To == bfd.Init { // who is heard first decides whether a session passes through it
		return
	}
	line := c.To.String()
	if c.Failure() {
		line += "!"
	}
	d.lines = append(d.lines, line)
}

// take returns what was noted since.
func (d *diary) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := strings.Join(d.lines, " ")
	d.lines = nil
	return text
}

func watched(a netip.Addr) bfd.Peer { return bfd.Peer{Address: a, Options: options()} }

func set(t *testing.T, m *bfd.Monitor, peers ...bfd.Peer) {
	t.Helper()
	if err := m.Set(peers); err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, m *bfd.Monitor, a netip.Addr) bfd.Status {
	t.Helper()
	s, ok := m.Status(a)
	if !ok {
		t.Fatalf("%s isn't watched", a)
	}
	return s
}

// pair is two monitors that watch each other.
type pair struct {
	t            *testing.T
	net          *bfd.Memory
	ours, theirs *bfd.Monitor
	diary        *diary
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, net: bfd.NewMemory(), diary: &diary{}}
	p.ours = p.net.Monitor(here, p.diary.note)
	p.theirs = p.net.Monitor(there, func(netip.Addr, bfd.Change) {})
	set(t, p.ours, watched(there))
	set(t, p.theirs, watched(here))
	return p
}

func (p *pair) close() {
	p.ours.Close()
	p.theirs.Close()
	if n := p.net.Listening(); n != 0 {
		p.t.Errorf("%d doors are still open", n)
	}
}

// after checks what has been told a while later.
func (p *pair) after(d time.Duration, want string) {
	p.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got := p.diary.take(); got != want {
		p.t.Errorf("after %s: %q, want %q", d, got, want)
	}
}

// Two monitors find each other, notice silence within the detection time, and find each other again.
func TestCutAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		defer p.close()
		p.after(4*time.Second, "up")
		s := status(t, p.ours, there)
		if s.State != bfd.Up || s.Remote != bfd.Up || s.Detection != 900*ms || s.Interval != 300*ms || s.Received < 4 || s.Sent < 4 || s.Discarded != 0 || s.SendError != "" {
			t.Errorf("up: %+v", s)
		}
		p.net.Cut(true)
		p.after(901*ms, "down!")
		if s := status(t, p.ours, there); s.Failures != 1 || s.Reason != "nothing heard for 900ms" || s.Detection != 0 || s.Interval != time.Second {
			t.Errorf("down: %+v", s)
		}
		p.after(time.Minute, "")
		p.net.Cut(false)
		p.after(4*time.Second, "up")
	})
}

// Who says goodbye hasn't failed; who vanishes has.
func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		defer p.close()
		p.after(4*time.Second, "up")
		p.theirs.Close()
		p.after(10*ms, "down")
		if s := status(t, p.ours, there); s.Remote != bfd.AdminDown || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
		p.after(10*time.Second, "")
		if s := status(t, p.ours, there); s.SendError != "nobody listens" {
			t.Errorf("%+v", s)
		}
		set(t, p.theirs, watched(here))
		p.after(4*time.Second, "up")
	})
}

// A session goes on with other timers, and begins anew over another path, without a failure at either end.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		defer p.close()
		p.after(4*time.Second, "up")
		set(t, p.ours, watched(there), watched(here6))
		p.after(4*time.Second, "")
		if p.net.Listening() != 3 {
			t.Errorf("%d doors are open, want one more for IPv6", p.net.Listening())
		}
		set(t, p.ours, watched(there))
		p.after(4*time.Second, "admin-down")

		other := watched(there)
		other.MinTx, other.MinRx, other.Strict = 500*ms, 100*ms, true
		set(t, p.ours, other)
		p.after(4*time.Second, "")
		if s := status(t, p.ours, there); s.Interval != 500*ms || s.Detection != 900*ms {
			t.Errorf("ours with other timers: %+v", s)
		}
		if s := status(t, p.theirs, here); s.Interval != 300*ms || s.Detection != 1500*ms || s.Failures != 0 {
			t.Errorf("theirs with our other timers: %+v", s)
		}

		other.Local = here
		set(t, p.ours, other)
		p.after(4*time.Second, "admin-down up")
		if s := status(t, p.theirs, here); s.Failures != 0 || s.State != bfd.Up {
			t.Errorf("theirs: %+v", s)
		}
		other.Idle = true
		set(t, p.ours, other)
		p.after(4*time.Second, "admin-down")
		if _, ok := p.ours.Status(there); ok || p.net.Listening() != 2 {
			t.Errorf("idle, yet watched, or not listening: %d", p.net.Listening())
		}
		other.Enabled = false
		set(t, p.ours, other)
		if _, ok := p.ours.Status(there); ok || p.net.Listening() != 1 {
			t.Errorf("still watched, or listening: %d", p.net.Listening())
		}
	})
}

// A port that is taken is an error that changes nothing.
func TestPortTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		defer p.close()
		p.after(4*time.Second, "up")
		p.net.Take(true)
		multihop := watched(there)
		multihop.Multihop = true
		if err := p.ours.Set([]bfd.Peer{multihop, watched(here6)}); err == nil {
			t.Error("the ports aren't taken")
		}
		p.after(4*time.Second, "")
		if s := status(t, p.ours, there); s.State != bfd.Up {
			t.Errorf("%+v", s)
		}
	})
}

// What isn't a router's next door, or no packet for this session, is counted and told, and does nothing.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		defer p.close()
		p.after(4*time.Second, "up")
		down := bfd.Packet{State: bfd.Down, Multiplier: 3, Mine: 66, MinTx: time.Second, MinRx: time.Second}
		other := down
		other.Yours = 5
		for i, c := range []struct {
			from   netip.Addr
			ttl    int
			octets []byte
			why    string // "" for what isn't counted
		}{
			{there, 254, down.Append(nil), "TTL 254, not 255: it doesn't come from next door"},
			{there, 0, down.Append(nil), "TTL 0, not 255: it doesn't come from next door"},
			{there, 255, down.Append(nil)[:20], "shorter than 24 octets"},
			{there, 255, other.Append(nil), "it is for another session, or for us before a restart: discriminator 0x5"},
			{netip.MustParseAddr("192.0.2.66"), 255, down.Append(nil), ""},
		} {
			if err := p.net.Send(c.from, here, c.ttl, c.octets); err != nil {
				t.Fatal(err)
			}
			p.after(1*ms, "")
			s := status(t, p.ours, there)
			if c.why != "" && (s.LastDiscarded != c.why || s.Discarded != uint64(i+1)) {
				t.Errorf("want %q: %+v", c.why, s)
			}
		}
		if s := status(t, p.ours, there); s.State != bfd.Up || s.Discarded != 4 {
			t.Errorf("%+v", s)
		}
		if err := p.net.Send(there, here, 255, down.Append(nil)); err != nil { // as a router that has restarted
			t.Fatal(err)
		}
		p.after(1*ms, "down!")
	})
}

// A monitor may be asked from within what it tells.
func TestStatusFromWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := bfd.NewMemory()
		var m *bfd.Monitor
		var seen []bfd.State
		m = n.Monitor(here, func(a netip.Addr, _ bfd.Change) {
			if s, ok := m.Status(a); ok {
				seen = append(seen, s.State)
			}
		})
		set(t, m, watched(there))
		m.Close()
		if !slices.Equal(seen, []bfd.State{bfd.AdminDown}) {
			t.Errorf("seen %v", seen)
		}
	})
}

// A process that is too busy to read what arrives doesn't take the router for dead: sessions look themselves.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := bfd.NewMemory(), &diary{}
		n.Busy()
		ours, theirs := n.Monitor(here, d.note), n.Monitor(there, func(netip.Addr, bfd.Change) {})
		set(t, ours, watched(there))
		set(t, theirs, watched(here))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := d.take(); got != "up" {
			t.Errorf("in a minute: %s", got)
		}
		n.Cut(true)
		time.Sleep(1300 * ms) // they look as often as they send
		synctest.Wait()
		if got := d.take(); got != "down!" {
			t.Errorf("cut: %s", got)
		}
		ours.Close()
		theirs.Close()
	})
}
