//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
	"github.com/anyedge/anyedge/routing"
)

const (
	thousand      = 1000
	thousandLimit = 2 * time.Minute // until all of them have proven themselves, on a busy machine
)

// thousandth is what the VIP of that number announces.
func thousandth(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(64 + i/256), byte(i), 0}), 24)
}

// A node with a thousand VIPs beside the site's takes them all out of service and back: what counts is the time from the
// first decision until BIRD has changed its forwarding table for the last of them.
func TestThousandVIPs(t *testing.T) {
	f := assemble(t)
	f.Ams.Host.Run("ip", "route", "add", "local", "100.64.0.0/14", "dev", "lo")
	begin := time.Now()
	f.Start(lab.Settings{VIPs: thousandVIPs(), More: `
health: {self_check: {interval: 2s, timeout: 2s, rise: 1}}
routing: {drain_lead: 300ms, rise: 500ms, warm_up: 100ms}
`}, f.Ams)
	up := f.waitThousand((*lab.FIB).WaitVia)
	t.Logf("start of the node → the last in BIRD's forwarding table: %v, with self checks every 2s", ms(up.Sub(begin)))

	begin = time.Now()
	f.cli(t, "drain", "--reason", "all of them")
	f.logThousand(t, begin, routing.Withdrawn, f.waitThousand((*lab.FIB).WaitNotVia))
	begin = time.Now()
	f.cli(t, "undrain")
	f.logThousand(t, begin, routing.Depreferred, f.waitThousand((*lab.FIB).WaitVia))
}

// thousandVIPs are VIPs of services beside the node; the same one proves them all.
func thousandVIPs() string {
	var b strings.Builder
	for i := range thousand {
		p := thousandth(i)
		fmt.Fprintf(&b, "v%d: {addresses: [%s], announce: [%s], probes: [{tcp: \"127.0.0.1:9180\"}]}\n  ", i, p.Addr().Next(), p)
	}
	return b.String()
}

// waitThousand waits for each of them and returns when the last was there.
func (f *fleet) waitThousand(wait func(*lab.FIB, netip.Prefix, string, time.Duration) time.Time) (last time.Time) {
	f.Helper()
	for i := range thousand {
		last = latest(last, wait(f.ams, thousandth(i), "ams-1", thousandLimit))
	}
	return last
}

// logThousand tells how long after the first decision since begin for a level BIRD had followed all of them.
func (f *fleet) logThousand(t *testing.T, begin time.Time, to routing.Level, last time.Time) {
	t.Helper()
	text, err := f.Ams.Node.CLI("explain", "--json")
	if err != nil {
		t.Fatal(err)
	}
	records, err := routing.ReadRecords(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	first, decided := time.Now(), 0
	for _, r := range records {
		if r.Decision.To == to && r.Decision.From != to && r.Input.Now.After(begin) {
			decided++
			if r.Input.Now.Before(first) {
				first = r.Input.Now
			}
		}
	}
	if decided < thousand {
		t.Fatalf("%d decisions for %s of %d VIPs", decided, to, thousand)
	}
	t.Logf("%d VIPs %s: first decision → the last in BIRD's forwarding table %v", thousand, to, ms(last.Sub(first)))
}
