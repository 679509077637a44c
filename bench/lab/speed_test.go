//go:build lab

package lab_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// What a decision costs and how soon a router acts on it, with the product's own settings: by an operator's word, idle and
// with every processor busy, and for a node that no longer serves itself.
func TestSpeed(t *testing.T) {
	f := start(t, lab.Settings{})
	used := f.Ams.Node.CPU()
	const rest = 10 * time.Second
	time.Sleep(rest) // what is measured is time
	t.Logf("a node at rest uses %.2f%% of a processor", 100*float64(f.Ams.Node.CPU()-used)/float64(rest))

	f.measureForced(t, "idle")
	var busy []*lab.Process
	for range runtime.NumCPU() {
		busy = append(busy, f.Client.Start("sh", "-c", "while :; do :; done"))
	}
	f.measureForced(t, "with every processor busy")
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
func (f *fleet) measureForced(t *testing.T, when string) {
	t.Helper()
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
	f.cli(t, "unforce", "www")
	f.cli(t, "undamp", "www")
	slices.Sort(all)
	t.Logf("%s: decision → UPDATEs written %.2f ms, mean of %.0f; anyedge force, that process among it → the world's forwarding table %v, median of %d",
		when, 1000*(f.Ams.Node.Metric(sum)-sumBefore)/decisions, decisions, ms(all[len(all)/2]), len(all))
}

func (f *fleet) cli(t *testing.T, args ...string) {
	t.Helper()
	if out, err := f.Ams.Node.CLI(args...); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}
