//go:build lab

package lab_test

import (
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

func (f *fleet) cli(t *testing.T, args ...string) {
	t.Helper()
	if out, err := f.Ams.Node.CLI(args...); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}
