//go:build lab

package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// The origin answers one metro's node, but late: nothing fails, and yet clients are better off elsewhere.
func TestSlowOrigin(t *testing.T) {
	f := start(t, lab.Quick())
	load := f.Load(vip4, "/fresh/1000", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.Site.Delay(f.Ams.ToNode.B.V4, 2500*time.Millisecond)
	inAms, inCore := waitMoved(f.ams, "ams-1", moveLimit), waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("origin answers after 2.5 s → BIRD's forwarding table in the metro: %v, beyond it: %v (90%% of fills in 2 s, 50 of them at least)",
		ms(inAms.Sub(begin)), ms(inCore.Sub(begin)))
	f.checkDepreferred(t, f.Ams)
	if text := f.Ams.Node.Explain(); !strings.Contains(text, "origin_path_critical") || !strings.Contains(text, "fill_latency") {
		t.Error("explain doesn't name the latency")
	}
	t.Logf("explain:\n%s", f.Ams.Node.Explain())
	f.waitAnswersBy(load, "fra-1", inCore, 25)

	restored := time.Now()
	f.Site.Delay(f.Ams.ToNode.B.V4, 0)
	back := f.waitNormal(upLimit)
	t.Logf("restored → back at ams: %v", ms(back.Sub(restored)))
	checkFailures(t, "not stored", load.Stop(), f.flips()...)
}

// One metro's way to the origin comes and goes each second: the route follows a few times, and then no more, before a
// router's own damping would notice.
func TestFlappingOrigin(t *testing.T) {
	const cycles = 12
	f := start(t, lab.Quick())
	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	load := f.Load(vip6, "/fresh/1000", 20*time.Millisecond)
	f.waitAnswers(load, 10)
	began := time.Now()
	for range cycles {
		f.Ams.ToOrigin.Cut()
		f.waitAnswers(load, 40) // 0.8 s at least
		f.Ams.ToOrigin.Restore()
		f.waitAnswers(load, 40)
	}
	moves := 0
	for _, e := range f.core.History(lab.Prefix6) {
		if e.At.After(began) {
			moves++
		}
	}
	t.Logf("%d times in %v the origin's link went and came → %d changes of the world's route", cycles, time.Since(began).Round(time.Second), moves)
	if moves > 8 {
		t.Error("the route follows the link: at most 4 times away and back are allowed in an hour")
	}
	t.Logf("explain:\n%s", f.Ams.Node.Explain())
	all := load.Stop()
	t.Logf("clients, content not stored: %d of %d requests failed", len(all.Failed()), len(all))
	if err := neverWithdrawn(f.Ams, wire.Stop()); err != nil {
		t.Error(err)
	}
}

// A node that can open no more files accepts no connection: it finds that by asking itself, and leaves.
func TestOutOfDescriptors(t *testing.T) {
	f := start(t, lab.Quick())
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.Ams.Node.Descriptors(8)
	inAms, inCore := waitMoved(f.ams, "ams-1", moveLimit), waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("out of descriptors → BIRD's forwarding table in the metro: %v, beyond it: %v", ms(inAms.Sub(begin)), ms(inCore.Sub(begin)))
	f.waitAnswersBy(load, "fra-1", inCore, 25)

	f.Ams.Node.Descriptors(1024)
	text := f.Ams.Node.Explain()
	t.Logf("explain:\n%s", text)
	if !strings.Contains(text, "self_check_failed") {
		t.Error("explain doesn't name the self check")
	}
	back := f.waitNormal(upLimit)
	t.Logf("descriptors again → back at ams: %v", ms(back.Sub(begin)))
	checkFailures(t, "stored", load.Stop(), f.failover(begin, inCore)...)
}
