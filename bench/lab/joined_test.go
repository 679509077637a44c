//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
	"github.com/anyedge/anyedge/tls/secret"
)

// rejoin is how long nodes may take to find each other again: those who are lost are looked for every ten seconds.
const rejoin = 60 * time.Second

// joined is a fleet whose nodes know each other.
type joined struct{ *fleet }

// startJoined is start with a fleet that decides together.
func startJoined(t *testing.T) *joined {
	t.Helper()
	f := &joined{assemble(t)}
	file := filepath.Join(t.TempDir(), "fleet.secret")
	if err := secret.Create(file, secret.New()); err != nil {
		t.Fatal(err)
	}
	for _, m := range f.metros() {
		s := lab.Quick()
		s.More += fmt.Sprintf("fleet: {secret_file: %s, interval: 300ms, join: [\"%s:7946\"]}\n", file, f.other(m).ToNode.B.V4)
		f.Start(s, m)
	}
	f.waitNormal(upLimit)
	f.waitHeard(rejoin)
	return f
}

func (f *joined) metros() []*lab.Metro { return []*lab.Metro{f.Ams, f.Fra} }

func (f *joined) other(m *lab.Metro) *lab.Metro {
	if m == f.Ams {
		return f.Fra
	}
	return f.Ams
}

// waitHeard waits until each node knows that the other could take over.
func (f *joined) waitHeard(limit time.Duration) {
	f.Helper()
	for _, m := range f.metros() {
		f.Await(m.Name+" knows that the other metro could take over", limit, func() bool { return strings.Contains(tookOver(f.explain(m)), "yes") })
	}
}

// waitSilent waits until no node counts on the other.
func (f *joined) waitSilent(limit time.Duration) {
	f.Helper()
	for _, m := range f.metros() {
		f.Await(m.Name+" no longer counts on the other metro", limit, func() bool { return strings.Contains(tookOver(f.explain(m)), "no: ") })
	}
}

// tookOver is the line about the other node in an explanation.
func tookOver(explanation string) string {
	for line := range strings.Lines(explanation) {
		if strings.HasPrefix(line, "ams-1 ") || strings.HasPrefix(line, "fra-1 ") {
			return line
		}
	}
	return ""
}

// explain is what a metro's node says of the VIP that the fleet serves.
func (f *joined) explain(m *lab.Metro) string {
	text, err := m.Node.CLI("explain", "www")
	if err != nil {
		return err.Error()
	}
	return text
}

// waitExplained waits until a metro's node gives a reason, and puts what it says into the transcript.
func (f *joined) waitExplained(t *testing.T, m *lab.Metro, reason string, limit time.Duration) {
	t.Helper()
	f.Await(m.Name+" says "+reason, limit, func() bool { return strings.Contains(f.explain(m), "why      "+reason) })
	t.Logf("explain of %s:\n%s", m.Host.Name, f.explain(m))
}

// spoil takes the VIP's IPv6 address away from a node's host: its self check fails, while IPv4 serves on.
func (f *joined) spoil(m *lab.Metro) {
	m.Host.Run("ip", "address", "delete", lab.VIP6.String()+"/128", "dev", "lo")
}

func (f *joined) mend(m *lab.Metro) {
	m.Host.Run("ip", "address", "add", lab.VIP6.String()+"/128", "dev", "lo")
}

// One mistake is rolled out to both nodes, and neither serves itself any more. Each saw the other well a moment ago; and yet
// not both leave. Those whom the fault doesn't hit are served on. The first to be mended takes all.
func TestBothNodesFail(t *testing.T) {
	f := startJoined(t)
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.spoil(f.Ams)
	f.spoil(f.Fra)
	f.Await("both nodes know that they fail", moveLimit, func() bool {
		return !strings.Contains(f.explain(f.Ams), "level 0") && !strings.Contains(f.explain(f.Fra), "level 0")
	})
	f.waitAnswers(load, 150) // three seconds in which somebody might go
	standing := 0
	for _, m := range f.metros() {
		text := f.explain(m)
		t.Logf("explain of %s:\n%s", m.Host.Name, text)
		if strings.Contains(text, "guarded: VIP www: self_check") {
			standing++
		}
	}
	if standing == 0 {
		t.Error("nobody stands guarded")
	}
	checkNeverGone(t, f.core, begin)

	for _, m := range f.metros() { // one may have left and come back, which is damped, and that isn't what this is about
		if out, err := m.Node.CLI("undamp", "www"); err != nil {
			t.Fatal(err, out)
		}
	}
	mended := time.Now()
	f.mend(f.Fra)
	f.waitAnnounced(f.Fra, moveLimit)
	f.waitExplained(t, f.Ams, "self_check_failed", moveLimit)
	gone := waitMoved(f.ams, "ams-1", moveLimit)
	t.Logf("fra mended → ams out of BIRD's forwarding table, since fra can take over: %v", ms(gone.Sub(mended)))
	f.mend(f.Ams)
	checkFailures(t, "stored, over IPv4, which the fault doesn't hit", load.Stop(), f.flips()...)
}

// checkNeverGone checks that a router had a way to both prefixes all the time.
func checkNeverGone(t *testing.T, fib *lab.FIB, since time.Time) {
	t.Helper()
	for _, p := range lab.Prefixes() {
		events := fib.History(p)
		for i, e := range events {
			if !e.At.After(since) || !e.Gone {
				continue
			}
			if i+1 < len(events) && !events[i+1].Gone && events[i+1].At.Sub(e.At) < converging {
				t.Logf("there was no way to %s for %v", p, ms(events[i+1].At.Sub(e.At)))
				continue
			}
			t.Errorf("there was no way to %s after %v", p, e.At.Sub(since))
		}
	}
}

// converging is how long routers may be at it when both nodes are depreferred in the same instant: each metro's router has
// the other's route for the better one until it hears of that, and meanwhile gives core neither.
const converging = 500 * time.Millisecond

// partition has the metros' routers drop what their node and the other one send each other. Clients and routers reach both.
func (f *joined) partition(verb string) {
	for _, m := range f.metros() {
		m.Edge.Run("ip", "route", verb, "blackhole", netip.PrefixFrom(f.other(m).ToNode.B.V4, 32).String())
	}
}

// The nodes don't hear each other, while clients and routers reach both. That alone changes nothing. A path that dies
// meanwhile deprefers its node, since that harms nobody; a node that doesn't serve itself stays as well, since nobody tells
// it that another door is open. When they hear each other again, it may go.
func TestPartition(t *testing.T) {
	f := startJoined(t)
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.partition("add")
	f.waitSilent(moveLimit)
	t.Logf("partition → both nodes know: %v", ms(time.Since(begin)))
	f.waitNormal(0)
	t.Logf("explain of ams-1:\n%s", f.explain(f.Ams))

	cut := time.Now()
	f.Ams.ToOrigin.Cut()
	inAms, inCore := waitMoved(f.ams, "ams-1", moveLimit), waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("origin's link cut during it → BIRD's forwarding table in the metro: %v, beyond it: %v", ms(inAms.Sub(cut)), ms(inCore.Sub(cut)))
	f.waitExplained(t, f.Ams, "origin_path_critical", moveLimit)
	f.waitAnswersBy(load, "fra-1", inCore, 25)

	broken := time.Now()
	f.spoil(f.Ams)
	f.waitExplained(t, f.Ams, "guarded", moveLimit)
	f.waitAnswers(load, 50)
	f.checkDepreferred(t, f.Ams)

	healed := time.Now()
	f.partition("delete")
	f.waitExplained(t, f.Ams, "self_check_failed", rejoin)
	t.Logf("healed → ams, which still doesn't serve itself, may go: %v; it was guarded for %v", ms(time.Since(healed)), ms(healed.Sub(broken)))
	f.Await("ams is out of its router", moveLimit, func() bool { _, there := learned(f.Ams, lab.Prefix4); return !there })

	restored := time.Now()
	f.mend(f.Ams)
	f.Ams.ToOrigin.Restore()
	f.cli(t, "undamp", "www") // three changes within a minute are damped, and that isn't what this is about
	back := f.waitNormal(rejoin)
	t.Logf("all is mended → back at ams: %v", ms(back.Sub(restored)))
	checkNeverGone(t, f.core, begin)
	checkFailures(t, "stored", load.Stop(), f.flips()...)
}
