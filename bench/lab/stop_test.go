//go:build lab

package lab_test

import (
	"context"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// A node that dies without a word stops attracting traffic at once: its kernel closes the BGP sessions, and without
// graceful restart the routers believe that.
func TestKill(t *testing.T) {
	f := start(t, lab.Quick())
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.Ams.Node.Kill()
	took := waitMoved(f.ams, "ams-1", moveLimit).Sub(begin)
	inCore := waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("kill -9 → gone from BIRD's forwarding table: %v, from the world's: %v", ms(took), ms(inCore.Sub(begin)))
	f.waitAnswersBy(load, "fra-1", inCore, 25)
	checkFailures(t, "stored", load.Stop(), f.failover(begin, inCore)...)

	begin = time.Now()
	f.Fra.Node.Kill()
	var tookFRR time.Duration
	for _, p := range lab.Prefixes() {
		tookFRR = max(tookFRR, f.fra.WaitGone(p, moveLimit).Sub(begin))
		f.core.WaitGone(p, moveLimit)
	}
	t.Logf("kill -9 → gone from FRR's forwarding table: %v", ms(tookFRR))
	if max(took, tookFRR) > holdTime/2 { // a busy machine's routers are slow too, but don't wait for the hold time
		t.Error("the routers have noticed late")
	}
}

// A node that is told to stop withdraws first, and closes its listeners when nobody is led to them any more.
func TestStop(t *testing.T) {
	f := start(t, lab.Quick())
	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)
	door := watchDoor(t.Context(), f.Ams.Host)

	begin := time.Now()
	f.Ams.Node.Signal(syscall.SIGTERM)
	moved := waitMoved(f.ams, "ams-1", moveLimit)
	if err := f.Ams.Node.Wait(30 * time.Second); err != nil {
		t.Errorf("the node ended with %v", err)
	}
	ended := time.Now()
	closed := door.lastOpen()
	withdrawn := lastWithdrawal(t, f.Ams, wire.Stop())
	t.Logf("SIGTERM → routers led elsewhere: %v, withdrawn: %v, last connection accepted: %v, ended: %v",
		ms(moved.Sub(begin)), ms(withdrawn.Sub(begin)), ms(closed.Sub(begin)), ms(ended.Sub(begin)))
	if !closed.After(withdrawn) || !closed.After(moved) {
		t.Error("the listener closed before the route was withdrawn")
	}
	checkFailures(t, "stored", load.Stop(), f.flips()...)
}

// lastWithdrawal is when a metro's node withdrew the last of the prefixes.
func lastWithdrawal(t *testing.T, m *lab.Metro, updates []lab.Update) time.Time {
	t.Helper()
	at := map[netip.Prefix]time.Time{}
	for _, u := range updates {
		for _, p := range u.Withdrawn {
			if from(m, u) {
				at[p] = u.At
			}
		}
	}
	for _, p := range lab.Prefixes() {
		if at[p].IsZero() {
			t.Errorf("%s was never withdrawn: %v", p, updates)
		}
	}
	return latest(at[lab.Prefix4], at[lab.Prefix6])
}

// door connects to a VIP on the node's own host, where no route leads elsewhere, until that fails.
type door struct {
	done sync.WaitGroup
	last time.Time
}

func watchDoor(ctx context.Context, h *lab.Host) *door {
	d := &door{}
	d.done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			c, err := h.Dial(ctx, "tcp", vip4)
			if err != nil {
				return
			}
			d.last = time.Now()
			_ = c.Close()
		}
	})
	return d
}

// lastOpen is when the last connection was accepted; it waits until one is refused.
func (d *door) lastOpen() time.Time {
	d.done.Wait()
	return d.last
}
