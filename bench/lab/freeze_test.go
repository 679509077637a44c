//go:build lab

package lab_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// A node that is frozen as a whole says nothing any more; its routers notice by the hold time, and when it goes on it
// comes back by itself.
func TestFreeze(t *testing.T) {
	f := start(t, lab.Quick())
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.Ams.Node.Signal(syscall.SIGSTOP)
	took := waitMoved(f.ams, "ams-1", moveLimit).Sub(begin)
	inCore := waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("SIGSTOP → gone from BIRD's forwarding table: %v, from the world's: %v (hold time 9s)", ms(took), ms(inCore.Sub(begin)))
	if took > holdTime+5*time.Second { // a busy machine's routers are late
		t.Error("that took much more than the hold time")
	}
	f.waitAnswersBy(load, "fra-1", inCore, 25)

	resumed := time.Now()
	f.Ams.Node.Signal(syscall.SIGCONT)
	back := f.waitNormal(upLimit)
	t.Logf("SIGCONT → back at ams: %v", ms(back.Sub(resumed)))
	f.waitAnswersBy(load, "ams-1", back, 10)
	checkFailures(t, "stored", load.Stop(), f.failover(begin, inCore)...)
}

// A router that restarts gets its routes again, and the node goes on.
func TestRouterRestart(t *testing.T) {
	f := start(t, lab.Quick())
	f.RestartAms()
	begin := time.Now()
	back := f.waitNormal(upLimit)
	t.Logf("router restarted → led to its node again: %v", ms(back.Sub(begin)))
}
