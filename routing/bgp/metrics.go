package bgp

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/routing/bfd"
)

// collector turns what the sessions are into metrics when it is asked, so that nothing has to be kept up to date.
type collector struct{ speaker *Speaker }

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("anyedge_bgp_"+name, help, []string{"peer"}, nil)
}

// descriptions are made anew for each use: they are cheap, and so no package variable has to hold them.
type descriptions struct {
	up, flaps, adjOut, updates, divergence *prometheus.Desc

	bfdUp, bfdFailures, bfdDiscarded *prometheus.Desc
}

func (d *descriptions) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.up, d.flaps, d.adjOut, d.updates, d.divergence, d.bfdUp, d.bfdFailures, d.bfdDiscarded}
}

func newDescriptions() descriptions {
	return descriptions{
		up:         describe("peer_up", "1 while the session with the peer is established."),
		flaps:      describe("peer_flaps_total", "How often an established session with the peer ended."),
		adjOut:     describe("adj_out_prefixes", "Prefixes in the peer's Adj-RIB-Out."),
		updates:    describe("updates_sent_total", "UPDATE messages written to the peer since its session was configured."),
		divergence: describe("divergence", "Prefixes whose Adj-RIB-Out was not what was wanted, when last compared."),

		bfdUp:        describe("bfd_up", "1 while the BFD session with the peer is up. Peers without BFD have no such figures."),
		bfdFailures:  describe("bfd_failures_total", "How often the BFD session with the peer went down, but for those that were switched off."),
		bfdDiscarded: describe("bfd_discarded_packets_total", "BFD packets from the peer that were discarded."),
	}
}

// Collector returns the speaker's metrics.
func (s *Speaker) Collector() prometheus.Collector { return collector{s} }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	d := newDescriptions()
	for _, desc := range d.all() {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	d := newDescriptions()
	adjOut := map[string]int{}
	for _, p := range c.speaker.Peers() {
		adjOut[p.Name] = len(p.AdjOut)
	}
	var sent map[netip.Addr]traffic
	if e := c.speaker.engine.Load(); e != nil {
		sent = e.traffic()
	}
	for _, s := range c.speaker.sessions.snapshot() {
		up := 0.0
		if s.established() {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(d.up, prometheus.GaugeValue, up, s.Name)
		ch <- prometheus.MustNewConstMetric(d.flaps, prometheus.CounterValue, float64(s.flaps), s.Name)
		ch <- prometheus.MustNewConstMetric(d.adjOut, prometheus.GaugeValue, float64(adjOut[s.Name]), s.Name)
		ch <- prometheus.MustNewConstMetric(d.updates, prometheus.CounterValue, float64(sent[s.Address].updates), s.Name)
		ch <- prometheus.MustNewConstMetric(d.divergence, prometheus.GaugeValue, float64(len(s.diverging)), s.Name)
		if s.BFD.Enabled {
			status, _ := c.speaker.watch.Status(s.Address) // down while it isn't watched
			d.bfd(ch, &s, status)
		}
	}
}

func (d *descriptions) bfd(ch chan<- prometheus.Metric, s *session, status bfd.Status) {
	up := 0.0
	if status.State == bfd.Up {
		up = 1
	}
	ch <- prometheus.MustNewConstMetric(d.bfdUp, prometheus.GaugeValue, up, s.Name)
	ch <- prometheus.MustNewConstMetric(d.bfdFailures, prometheus.CounterValue, float64(s.failures), s.Name)
	ch <- prometheus.MustNewConstMetric(d.bfdDiscarded, prometheus.CounterValue, float64(status.Discarded), s.Name)
}
