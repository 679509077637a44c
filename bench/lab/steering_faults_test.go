//go:build lab

package lab_test

import (
	"crypto/rand"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// What goes wrong while a connection's packets take the detour: it goes on.
func TestSteeringFaults(t *testing.T) {
	f := startSteering(t, true)
	second := f.Link(f.Fra.Edge, f.Ams.Host) // ams's second uplink
	f.narrow(1280)
	f.flip(f.Fra)
	f.Await("the nodes know the path's MTU", moveLimit, func() bool { return f.pmtu(f.Fra) == 1280 && f.pmtu(f.Ams) == 1280 })
	for _, fault := range []struct {
		name string
		do   func()
	}{
		{"the tunnel's path takes 1280 octets", func() {}},
		{"the owner has no route for 300 ms", func() { f.withoutRoute(300 * time.Millisecond) }},
		{"the owner's other uplink takes over", func() { f.Ams.Host.Run("ip", "route", "replace", "default", "via", second.A.V4.String()) }},
		{"the fleet's secret is rotated", func() { f.rotate(t, "2 *next"); f.rotate(t, "2 *current") }},
		{"the owner is frozen for 700 ms", func() { f.frozen(f.Ams, 700*time.Millisecond) }},
		{"the nodes don't reach each other for 700 ms", f.partition},
		{"a flood of connection IDs that nobody made", func() { f.flood(t) }},
		{"the node on the detour is frozen for 700 ms", func() { f.frozen(f.Fra, 700*time.Millisecond) }},
	} {
		up, down := f.during(t, fault.do)
		t.Logf("%s: upload %s; download %s", fault.name, up.text, down.text)
		if !up.survived || !down.survived {
			t.Errorf("%s: it doesn't survive", fault.name)
		}
	}
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		if out, err := m.Node.CLI("status"); err != nil || strings.Contains(out, "forged") || strings.Contains(out, "loop") {
			t.Errorf("%s: %v\n%s", m.Host.Name, err, out)
		}
	}
	f.tell(t)
	page := f.browse(t, "--dump-dom")
	for _, want := range []string{"fra-1", "path MTU", "1280", "Clients on a detour by another node", "for connections here", "to another worker|to their node"} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the status page doesn't show %q", want)
		}
	}
}

// rotate makes the next step of a rotation of the fleet's secret, and waits until both nodes say so.
func (f *steered) rotate(t *testing.T, role string) {
	if out, err := f.Ams.Node.CLI("secret", "rotate", f.secret); err != nil {
		t.Fatal(err, out)
	}
	want := regexp.MustCompile(`(?m)^secret *` + role)
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		m.Node.Signal(syscall.SIGHUP)
		f.Await(m.Host.Name+" has the secret", moveLimit, func() bool {
			out, err := m.Node.CLI("status")
			return err == nil && want.MatchString(out)
		})
	}
}

// during does something to the fleet under a connection from ams whose packets come by way of fra.
func (f *steered) during(t *testing.T, fault func()) (up, down outcome) {
	f.flip(f.Ams)
	ups, downs := make(chan outcome, 1), make(chan outcome, 1)
	go func() { ups <- f.upload(t) }() // both end with their transfers; read below
	go func() { downs <- f.download(t, lab.VIP4) }()
	time.Sleep(500 * time.Millisecond)
	f.flip(f.Fra)
	time.Sleep(500 * time.Millisecond)
	fault()
	return <-ups, <-downs
}

// narrow gives the path between the nodes an MTU of its own, and nothing else.
func (f *steered) narrow(mtu int) {
	for _, e := range []lab.End{f.Peering.A, f.Peering.B} {
		e.Host.Run("ip", "link", "set", "dev", e.Dev, "mtu", strconv.Itoa(mtu))
	}
}

var pmtuCell = regexp.MustCompile(`pmtu (\d+)`)

// pmtu is what a node knows of its path to the other one.
func (f *steered) pmtu(m *lab.Metro) int {
	out, err := m.Node.CLI("status")
	found := pmtuCell.FindStringSubmatch(out)
	if err != nil || found == nil {
		return 0
	}
	mtu, _ := strconv.Atoi(found[1]) // digits
	return mtu
}

// withoutRoute takes the owner's way to the world: its sends fail with ENETUNREACH.
func (f *steered) withoutRoute(d time.Duration) {
	f.Ams.Host.Run("ip", "route", "delete", "default")
	time.Sleep(d)
	f.Ams.Host.Run("ip", "route", "add", "default", "via", f.Ams.ToNode.A.V4.String())
}

func (f *steered) frozen(m *lab.Metro, d time.Duration) {
	m.Node.Signal(syscall.SIGSTOP)
	time.Sleep(d)
	m.Node.Signal(syscall.SIGCONT)
}

// partition has routers drop the tunnel's packets.
func (f *steered) partition() {
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		m.Edge.Run("ip", "route", "add", "blackhole", netip.PrefixFrom(f.other(m).ToNode.B.V4, 32).String())
	}
	time.Sleep(700 * time.Millisecond)
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		m.Edge.Run("ip", "route", "delete", "blackhole", netip.PrefixFrom(f.other(m).ToNode.B.V4, 32).String())
	}
}

func (f *steered) other(m *lab.Metro) *lab.Metro {
	if m == f.Ams {
		return f.Fra
	}
	return f.Ams
}

// flood sends what looks like packets of connections that nobody has. None may be answered.
func (f *steered) flood(t *testing.T) {
	c, err := f.Client.ListenPacket("udp4", ":0")
	if err != nil {
		f.Fatalf("%v", err)
	}
	defer c.Close()
	to, b := net.UDPAddrFromAddrPort(netip.AddrPortFrom(lab.VIP4, 443)), make([]byte, 60)
	for range 20_000 {
		_, _ = rand.Read(b) // never fails
		b[0] = b[0]&0x3f | 0x40
		if _, err := c.WriteTo(b, to); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, _, err := c.ReadFrom(b); err == nil {
		t.Errorf("a packet of nobody's connection was answered with %d octets", n)
	}
	out, err := f.Fra.Node.CLI("status")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "unroutable ") {
		t.Errorf("the flood isn't counted:\n%s", out)
	}
}
