//go:build lab

package lab_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// noticeLimit is far below what the hold time takes, 6 to 9 s, and what a busy machine may add to BFD's 0.9 s.
const noticeLimit = 4 * time.Second

// watched is a node between three routers: a BIRD and an FRR next door, and a BIRD behind another host.
type watched struct {
	*lab.Lab
	node    *lab.Node
	routers []*watchedRouter
	frr     *lab.FRR
	config  func(bfd string) string // by the keys of each peer's bfd
}

// watchedRouter is a router, its forwarding table, and the link that leads to the node.
type watchedRouter struct {
	name  string
	peers []string
	dev   string
	link  *lab.Link
	fib   *lab.FIB
	v6    bool
}

// Settings of the node's BFD; the routers have 300 ms × 3 in any case.
const (
	on      = "enabled: true"
	patient = "enabled: true, min_rx: 500ms"
	off     = "enabled: false"
)

// startWatched starts all, with BFD at the node as bfd has it.
func startWatched(t *testing.T, bfd string) *watched {
	l := lab.New(t)
	node, bird, frr, hop, far := l.Host("node"), l.Router("bird"), l.Router("frr"), l.Router("hop"), l.Router("far")
	toBird, toFRR, toHop, toFar := l.Link(node, bird), l.Link(node, frr), l.Link(node, hop), l.Link(hop, far)
	node.Address(lab.VIP4, lab.VIP6)
	node.Route(netip.PrefixFrom(toFar.B.V4, 32), toHop.B.V4)
	far.Route(netip.PrefixFrom(toHop.A.V4, 32), toFar.A.V4)
	end := func(link *lab.Link, more map[string]any) map[string]any {
		data := map[string]any{"Node": link.A, "Router": link.B, "NodeAS": lab.NodeAS, "RouterAS": lab.AmsAS, "Hops": 0, "Local": ""}
		for k, v := range more {
			data[k] = v
		}
		return data
	}
	bird.BIRD(execute(t, "bfd.bird.conf", end(toBird, nil)))
	far.BIRD(execute(t, "bfd.bird.conf", end(toHop, map[string]any{"Hops": 2, "Via": toFar.A.V4, "Local": toFar.B.V4})))
	w := &watched{Lab: l, frr: frr.FRR(execute(t, "bfd.frr.conf", end(toFRR, nil)), "bfdd")}
	w.routers = []*watchedRouter{
		{"BIRD", []string{"bird4", "bird6"}, "node", toBird, bird.WatchFIB(), true},
		{"FRR", []string{"frr4", "frr6"}, "node", toFRR, frr.WatchFIB(), true},
		{"BIRD behind a hop", []string{"far"}, "hop", toHop, far.WatchFIB(), false},
	}
	w.config = func(bfd string) string {
		type link struct {
			lab.End
			Router lab.End
		}
		strict := ""
		if bfd != off {
			strict = ", strict: true"
		}
		return execute(t, "bfd.node.yaml", map[string]any{
			"Bird": link{toBird.A, toBird.B}, "FRR": link{toFRR.A, toFRR.B}, "Far": toFar.B.V4, "Near": toHop.A.V4, "BFD": bfd, "Strict": strict,
			"NodeAS": lab.NodeAS, "RouterAS": lab.AmsAS,
			"VIP4": lab.VIP4, "VIP6": lab.VIP6, "Prefix4": lab.Prefix4, "Prefix6": lab.Prefix6,
		})
	}
	w.node = node.StartNode(w.config(bfd))
	w.waitUp(bfd)
	return w
}

// there waits until the router leads to the node, and returns since when.
func (r *watchedRouter) there() time.Time {
	since := r.fib.WaitVia(lab.Prefix4, r.dev, upLimit)
	if r.v6 {
		since = latest(since, r.fib.WaitVia(lab.Prefix6, r.dev, upLimit))
	}
	return since
}

// gone waits until it doesn't.
func (r *watchedRouter) gone(limit time.Duration) time.Time {
	since := r.fib.WaitGone(lab.Prefix4, limit)
	if r.v6 {
		since = latest(since, r.fib.WaitGone(lab.Prefix6, limit))
	}
	return since
}

// watchedPeer is what the node's status says of a peer.
type watchedPeer struct {
	Name  string
	State string
	Flaps int
	BFD   *struct {
		State     string
		Detection float64 // seconds
	}
}

func (w *watched) peers() map[string]watchedPeer {
	w.Helper()
	text, err := w.node.Get("/v1/status")
	var status struct{ Peers []watchedPeer }
	if err == nil {
		err = json.Unmarshal([]byte(text), &status)
	}
	if err != nil {
		w.Fatalf("status: %v", err)
	}
	peers := map[string]watchedPeer{}
	for _, p := range status.Peers {
		peers[p.Name] = p
	}
	return peers
}

// detections are how long a router may be silent, by the settings, in seconds.
var detections = map[string]float64{on: 0.9, patient: 1.5}

// waitUp waits until every session is up, with BFD as bfd has it.
func (w *watched) waitUp(bfd string) {
	w.Helper()
	w.Await("all sessions up, with BFD "+bfd, upLimit, func() bool {
		for _, p := range w.peers() {
			if p.State != "established" || (p.BFD != nil) != (bfd != off) {
				return false
			}
			if p.BFD != nil && (p.BFD.State != "up" || p.BFD.Detection != detections[bfd]) {
				return false
			}
		}
		return true
	})
	for _, r := range w.routers {
		r.there()
	}
}

// lastEvent is when the node last noted that of a peer.
func (w *watched) lastEvent(peer, text string) time.Time {
	w.Helper()
	out, err := w.node.CLI("events", "--json")
	if err != nil {
		w.Fatalf("events: %v", err)
	}
	var at time.Time
	for line := range strings.Lines(out) {
		var e struct {
			Time          time.Time
			Subject, Text string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.Fatalf("event %q: %v", line, err)
		}
		if e.Subject == peer && strings.Contains(e.Text, text) {
			at = e.Time
		}
	}
	return at
}

// noticed waits until the node has noted since that a peer's BFD failed.
func (w *watched) noticed(peer string, since time.Time) time.Duration {
	w.Helper()
	w.Await("the node notices that "+peer+" is silent", noticeLimit, func() bool { return w.lastEvent(peer, "BFD down: nothing heard").After(since) })
	return w.lastEvent(peer, "BFD down: nothing heard").Sub(since)
}

// Links that swallow packets while they look well are noticed at both ends within the detection time, over one hop and
// several; all comes back once they are good again. A node that stops tells the routers that this is no failure.
func TestBFDLinksSwallow(t *testing.T) {
	w := startWatched(t, on)
	before := w.flaps()
	begin := time.Now()
	for _, r := range w.routers {
		r.link.Blackhole()
	}
	var theirs, ours []time.Duration
	for _, r := range w.routers {
		theirs = append(theirs, r.gone(noticeLimit).Sub(begin))
		slowest := time.Duration(0)
		for _, peer := range r.peers {
			slowest = max(slowest, w.noticed(peer, begin))
		}
		ours = append(ours, slowest)
	}
	t.Logf("anyedge explain says\n%s", w.node.Explain())
	restored := time.Now()
	for _, r := range w.routers {
		r.link.Restore()
	}
	w.waitUp(on)
	for i, r := range w.routers {
		alive := time.Duration(0)
		for _, peer := range r.peers {
			alive = max(alive, w.lastEvent(peer, "BFD up").Sub(restored))
		}
		t.Logf("%s: link swallows → gone from its forwarding table %v, noticed by the node %v; link good → BFD up %v, route back %v",
			r.name, ms(theirs[i]), ms(ours[i]), ms(alive), ms(r.there().Sub(restored)))
	}
	for name, p := range w.peers() {
		if p.Flaps == before[name] {
			t.Errorf("the session with %s is the one of before", name)
		}
	}
	w.stop()
}

// stop has the node stop, and waits until FRR has heard that this is meant.
func (w *watched) stop() {
	w.Helper()
	w.node.Signal(syscall.SIGTERM)
	if err := w.node.Wait(upLimit); err != nil {
		w.Errorf("the node ended with %v", err)
	}
	w.Await("FRR hears the goodbye", noticeLimit, func() bool {
		var peers []struct {
			Status     string
			Diagnostic string `json:"remote-diagnostic"`
		}
		text := w.frr.Show("show bfd peers json")
		if err := json.Unmarshal([]byte(text), &peers); err != nil {
			w.Fatalf("%v: %s", err, text)
		}
		for _, p := range peers {
			if p.Status != "down" || p.Diagnostic != "administratively down" {
				return false
			}
		}
		return true
	})
}

// A node that hangs is noticed by BFD where the hold time takes many times that. By reloads BFD is switched on and gets other
// timers, for longer and for shorter, which the routers answer for; no session notices.
func TestBFDFreeze(t *testing.T) {
	w := startWatched(t, off)
	byHold := w.freeze(12 * time.Second)
	w.waitUp(off)
	before := w.flaps()
	for _, bfd := range []string{on, patient, on} {
		w.node.Reload(w.config(bfd))
		w.waitUp(bfd)
	}
	if after := w.flaps(); !maps.Equal(before, after) {
		t.Errorf("reloads have ended sessions: %v, before %v", after, before)
	}
	byBFD := w.freeze(noticeLimit)
	for i, r := range w.routers {
		t.Logf("SIGSTOP → gone from the forwarding table of %s: with BFD %v, by the hold time of 9s %v", r.name, ms(byBFD[i]), ms(byHold[i]))
	}
}

// freeze has the node hang until no router leads to it, and returns how long that took each.
func (w *watched) freeze(limit time.Duration) []time.Duration {
	w.Helper()
	var gone []time.Duration
	begin := time.Now()
	w.node.Signal(syscall.SIGSTOP)
	for _, r := range w.routers {
		gone = append(gone, r.gone(limit).Sub(begin))
	}
	w.node.Signal(syscall.SIGCONT)
	for _, r := range w.routers {
		r.there()
	}
	return gone
}

// flaps is how often sessions have ended.
func (w *watched) flaps() map[string]int {
	w.Helper()
	flaps := map[string]int{}
	for name, p := range w.peers() {
		flaps[name] = p.Flaps
	}
	return flaps
}
