//go:build lab

package lab_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// One metro's way to the origin dies: its node says so on the route, the other metro takes over; when the way is
// back, so is the metro.
func TestOriginPathCut(t *testing.T) {
	f := start(t, lab.Quick())
	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	fresh, stored := f.Load(vip4, "/fresh/1000", 20*time.Millisecond), f.Load(vip6, "/page", 20*time.Millisecond)
	f.waitAnswers(stored, 10)

	begin := time.Now()
	f.Ams.ToOrigin.Cut()
	inAms, inCore := waitMoved(f.ams, "ams-1", moveLimit), waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("origin's link cut → BIRD's forwarding table in the metro: %v, beyond it: %v (probe interval 100ms, timeout 300ms, 3 failures; path_fall 300ms)",
		ms(inAms.Sub(begin)), ms(inCore.Sub(begin)))
	f.checkDepreferred(t, f.Ams)
	f.waitAnswersBy(fresh, "fra-1", inCore, 25)

	restored := time.Now()
	f.Ams.ToOrigin.Restore()
	back := f.waitNormal(moveLimit)
	t.Logf("restored → back at ams: %v", ms(back.Sub(restored)))
	f.waitAnswersBy(fresh, "ams-1", back, 25)

	checkFailures(t, "not stored", fresh.Stop(), f.failover(begin, inCore)...)
	checkFailures(t, "stored", stored.Stop(), f.flips()...)
	if err := neverWithdrawn(f.Ams, wire.Stop()); err != nil {
		t.Error(err)
	}
}

// The same with the product's own settings, and with a way that swallows packets instead of refusing them.
func TestOriginPathSwallows(t *testing.T) {
	f := start(t, lab.Settings{})
	load := f.Load(vip4, "/fresh/1000", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.Ams.ToOrigin.Blackhole()
	inAms, inCore := waitMoved(f.ams, "ams-1", moveLimit), waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("origin's link swallows packets → BIRD's forwarding table in the metro: %v, beyond it: %v (defaults: probe interval 1s, timeout 1s, 3 failures; path_fall 3s)",
		ms(inAms.Sub(begin)), ms(inCore.Sub(begin)))
	f.checkDepreferred(t, f.Ams)
	f.waitAnswersBy(load, "fra-1", inCore, 25)
	checkFailures(t, "not stored", load.Stop(), f.failover(begin, inCore)...)
	t.Logf("explain:\n%s", f.Ams.Node.Explain())
}

// The origin dies for everyone: going away would help nobody, so everybody stays.
func TestOriginDead(t *testing.T) {
	f := start(t, lab.Quick())
	ams, fra := f.Ams.ToNode.A.Capture("tcp port 179"), f.Fra.ToNode.A.Capture("tcp port 179")
	f.store(t, f.Ams, "/page")
	f.store(t, f.Fra, "/page")
	stored := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswers(stored, 10)

	begin := time.Now()
	f.Site.Kill()
	f.waitDepreferred(f.Ams, moveLimit)
	f.waitDepreferred(f.Fra, moveLimit)
	t.Logf("origin dead → both metros depreferred: %v", ms(time.Since(begin)))
	f.waitAnswers(stored, 150) // three seconds in which somebody might go
	for _, p := range lab.Prefixes() {
		f.ams.WaitVia(p, "ams-1", 0)
		f.fra.WaitVia(p, "fra-1", 0)
	}
	t.Logf("explain:\n%s", f.Ams.Node.Explain())

	restored := time.Now()
	f.Site.Start()
	f.waitAnnounced(f.Ams, moveLimit)
	f.waitAnnounced(f.Fra, moveLimit)
	t.Logf("origin alive → both metros announced again: %v", ms(time.Since(restored)))

	// One metro is depreferred a moment before the other, so the world may look elsewhere for that moment.
	checkFailures(t, "stored", stored.Stop(), f.flips()...)
	if err := errors.Join(neverWithdrawn(f.Ams, ams.Stop()), neverWithdrawn(f.Fra, fra.Stop())); err != nil {
		t.Error(err)
	}
}

// store makes a metro's node store a page, asked through the VIP on its own host, where no route leads elsewhere.
func (f *fleet) store(t *testing.T, m *lab.Metro, path string) {
	t.Helper()
	resp, err := f.HTTPFrom(m.Host, vip4).Get("https://" + lab.SiteName + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
}

// checkDepreferred checks that a metro's node asks its router, in both families, to be left alone, by every
// attribute of level 2, and is still there.
func (f *fleet) checkDepreferred(t *testing.T, m *lab.Metro) {
	t.Helper()
	for _, p := range lab.Prefixes() {
		path, ok := learned(m, p)
		if !ok || !path.GracefulShutdown() || path.MED != 65535 || len(path.ASPath) != 4 {
			t.Errorf("%s in edge-%s: %v, want GRACEFUL_SHUTDOWN, MED 65535 and 3 prepends", p, m.Name, path)
		}
		t.Logf("edge-%s learnt %s %v", m.Name, p, path)
	}
}

// neverWithdrawn checks that a metro's node withdrew no prefix. What its router withdraws from it is another matter.
func neverWithdrawn(m *lab.Metro, updates []lab.Update) error {
	for _, u := range updates {
		if from(m, u) && len(u.Withdrawn) > 0 {
			return fmt.Errorf("%s withdrew: %v", m.Name, u)
		}
	}
	return nil
}

// from says whether a metro's node sent an UPDATE.
func from(m *lab.Metro, u lab.Update) bool { return u.From == m.ToNode.B.V4 || u.From == m.ToNode.B.V6 }
