package bgp_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// gather returns each metric's value, by name and peer.
func gather(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}

// The figures, and a divergence among them: what a peer has beyond what was wanted is told and counted until it isn't.
func TestMetricsAndDivergence(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	nobody := bgp.Peer{Name: "nobody", Address: loopback(2), Port: closedPort(t, loopback(2)), ASN: routerAS}
	s := startSpeaker(t, options(peer("r", r, routerAS), nobody), prefix4, other4)
	s.set(routing.Announced, prefix4)
	waitTable(t, r, 1)
	s.await("established", func() bool { return s.peer("r").State == "established" })
	if err := s.Inject(other4, routing.Announced); err != nil {
		t.Fatal(err)
	}
	waitTable(t, r, 2)
	s.set(routing.Depreferred, prefix4)

	got := gather(t, s.Collector())
	for name, want := range map[string]float64{
		"anyedge_bgp_peer_up r":                 1,
		"anyedge_bgp_peer_up nobody":            0,
		"anyedge_bgp_peer_flaps_total r":        0,
		"anyedge_bgp_adj_out_prefixes r":        2,
		"anyedge_bgp_adj_out_prefixes nobody":   0,
		"anyedge_bgp_updates_sent_total r":      3,
		"anyedge_bgp_updates_sent_total nobody": 0,
		"anyedge_bgp_divergence r":              1,
		"anyedge_bgp_divergence nobody":         0,
	} {
		if v, there := got[name]; !there || v != want {
			t.Errorf("%s is %v (there: %t), want %v", name, v, there, want)
		}
	}
	if d := s.Divergence(); len(d) != 1 || !strings.Contains(d[0], other4.String()+" is there and should not be") {
		t.Errorf("divergence: %q", d)
	}
	if text := s.journalText(); !strings.Contains(text, "r (127.0.0.1) was not sent what was wanted: "+other4.String()) {
		t.Errorf("journal:\n%s", text)
	}
	s.set(routing.Announced, prefix4, other4)
	if d := s.Divergence(); len(d) != 0 || !strings.Contains(s.journalText(), "has what was wanted again") {
		t.Errorf("divergence once it is wanted: %q\n%s", d, s.journalText())
	}

	r.Kill()
	s.await("the flap", func() bool { return gather(t, s.Collector())["anyedge_bgp_peer_flaps_total r"] == 1 })
	if up := gather(t, s.Collector())["anyedge_bgp_peer_up r"]; up != 0 {
		t.Errorf("peer_up is %v with the router gone", up)
	}
}
