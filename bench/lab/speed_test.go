//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
	"github.com/anyedge/anyedge/routing"
)

// What a decision costs and how soon a router acts on it, with the product's own settings: by an operator's word, idle and
// with every processor busy, and for a node that no longer serves itself.
func TestSpeed(t *testing.T) {
	f := start(t, lab.Settings{})
	used := f.Ams.Node.CPU()
	const rest = 10 * time.Second
	time.Sleep(rest) // what is measured is time
	t.Logf("a node at rest uses %.2f%% of a processor", 100*float64(f.Ams.Node.CPU()-used)/float64(rest))

	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	f.measureForced(t, wire, "idle")
	var busy []*lab.Process
	for range runtime.NumCPU() {
		busy = append(busy, f.Client.Start("sh", "-c", "while :; do :; done"))
	}
	f.measureForced(t, wire, "with every processor busy")
	for _, p := range busy {
		p.Kill()
	}

	begin := time.Now()
	f.Ams.Node.Descriptors(8)
	inAms := waitMoved(f.ams, "ams-1", moveLimit)
	t.Logf("out of descriptors → BIRD's forwarding table: %v (defaults: self check each second, 3 failures)", ms(inAms.Sub(begin)))
	f.Ams.Node.Descriptors(1024)
}

// measureForced sets a level and takes it back some times.
func (f *fleet) measureForced(t *testing.T, wire *lab.Capture, when string) {
	t.Helper()
	since := time.Now()
	const sum, count = "anyedge_routing_decision_to_speaker_seconds_sum", "anyedge_routing_decision_to_speaker_seconds_count"
	sumBefore, countBefore := f.Ams.Node.Metric(sum), f.Ams.Node.Metric(count)
	var all []time.Duration
	for i := range 10 {
		level, edge := "2", "edge-fra"
		if i%2 == 1 {
			level, edge = "0", "edge-ams"
		}
		begin := time.Now()
		f.cli(t, "force", "www", level, "--for", "1m", "--reason", "measure")
		all = append(all, f.core.WaitVia(lab.Prefix4, edge, moveLimit).Sub(begin))
	}
	decisions := f.Ams.Node.Metric(count) - countBefore
	delays := f.untilUpdate(t, "www", wire.Updates(), since)
	f.cli(t, "unforce", "www")
	f.cli(t, "undamp", "www")
	slices.Sort(all)
	t.Logf("%s: decision → UPDATE of the last prefix captured: median %v, most %v of %d", when, ms(delays[len(delays)/2]), ms(delays[len(delays)-1]), len(delays))
	t.Logf("%s: decision → UPDATEs written and compared with the Adj-RIB-Out %.2f ms, mean of %.0f; anyedge force, that process among it → the world's forwarding table %v, median of %d",
		when, 1000*(f.Ams.Node.Metric(sum)-sumBefore)/decisions, decisions, ms(all[len(all)/2]), len(all))
}

// untilUpdate is how long after each change of a VIP's level since then the last of the node's UPDATEs for it passed the
// wire, in ascending order.
func (f *fleet) untilUpdate(t *testing.T, vip string, updates []lab.Update, since time.Time) (delays []time.Duration) {
	t.Helper()
	for _, decided := range f.changes(t, vip) {
		if decided.Before(since) {
			continue
		}
		var last time.Time
		for _, p := range lab.Prefixes() {
			i := slices.IndexFunc(updates, func(u lab.Update) bool {
				return from(f.Ams, u) && !u.At.Before(decided) && slices.Contains(u.Announced, p)
			})
			if i < 0 {
				t.Fatalf("no UPDATE of %s after the decision at %s", p, decided)
			}
			last = latest(last, updates[i].At)
		}
		delays = append(delays, last.Sub(decided))
	}
	if len(delays) == 0 {
		t.Fatal("no decision is remembered")
	}
	slices.Sort(delays)
	return delays
}

// changes are when ams's node decided each change of a VIP's level that it remembers.
func (f *fleet) changes(t *testing.T, vip string) (times []time.Time) {
	t.Helper()
	text, err := f.Ams.Node.CLI("explain", vip, "--json")
	if err != nil {
		t.Fatal(err)
	}
	records, err := routing.ReadRecords(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Decision.From != r.Decision.To {
			times = append(times, r.Input.Now)
		}
	}
	return times
}

// A thousand VIPs change their level at once: how long until BIRD has been told of the last.
func TestThousandVIPs(t *testing.T) {
	const many = 1000
	var vips strings.Builder
	for i := range many {
		fmt.Fprintf(&vips, "  v%d: {addresses: [100.64.%d.%d], probes: [{tcp: \"127.0.0.1:9180\"}]}\n", i, i/250, 1+i%250)
	}
	f := assemble(t)
	s := lab.Quick()
	s.More = strings.Replace(s.More, "interval: 100ms, timeout: 500ms, rise: 2", "interval: 1m, timeout: 20s, rise: 1", 1) // they aren't what is measured
	s.VIPs = strings.TrimSpace(vips.String())
	f.Start(s, f.Ams)
	f.waitAnnounced(f.Ams, upLimit)
	f.Await("all are announced", upLimit, func() bool {
		text, err := f.Ams.Node.Get("/metrics")
		return err == nil && len(announcedVIPs.FindAllString(text, -1)) == many
	})
	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	for range 3 {
		begin := time.Now()
		f.cli(t, "drain", "--reason", "measure")
		told := f.waitTold(t, wire, begin, many)
		decided := slices.MaxFunc(f.changes(t, "v0"), time.Time.Compare)
		t.Logf("%d VIPs: decision → the last UPDATE captured %v, its route in BIRD's table %v", many, ms(told.Sub(decided)), ms(time.Since(decided)))
		f.cli(t, "undrain")
		f.Await("all are announced again", upLimit, func() bool {
			text, err := f.Ams.Node.Get("/metrics")
			return err == nil && len(announcedVIPs.FindAllString(text, -1)) == many
		})
	}
}

// announcedVIPs finds those of TestThousandVIPs at level 0 in a node's metrics.
var announcedVIPs = regexp.MustCompile(`anyedge_routing_level\{vip="v[0-9]+"\} 0\n`)

// waitTold waits until a node has depreferred n host routes on the wire, and its router has the last; it returns when
// that passed.
func (f *fleet) waitTold(t *testing.T, wire *lab.Capture, since time.Time, n int) (last time.Time) {
	t.Helper()
	var prefix netip.Prefix
	f.Await("all are depreferred", upLimit, func() bool {
		told := map[netip.Prefix]bool{}
		for _, u := range wire.Updates() {
			if !from(f.Ams, u) || u.At.Before(since) || !u.GracefulShutdown() {
				continue
			}
			for _, p := range u.Announced {
				if p.Bits() == 32 && !told[p] {
					told[p], last, prefix = true, u.At, p
				}
			}
		}
		return len(told) == n
	})
	f.Await("BIRD has the last", moveLimit, func() bool {
		path, ok := learned(f.Ams, prefix)
		return ok && path.GracefulShutdown()
	})
	return last
}

func (f *fleet) cli(t *testing.T, args ...string) {
	t.Helper()
	if out, err := f.Ams.Node.CLI(args...); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}
