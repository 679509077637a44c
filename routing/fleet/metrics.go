package fleet

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

// Collector shows the fleet to Prometheus as this node sees it.
func (f *Fleet) Collector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("anyedge_fleet_"+name, help, labels, nil)
	}
	return &collector{
		fleet:    f,
		members:  desc("members", "Other nodes that were found by gossip, by their state: alive, failed, or left within the hour.", "state"),
		heard:    desc("member_heard_seconds", "How long ago a member was last heard.", "node"),
		rtt:      desc("member_rtt_seconds", "How long a member's last answer took.", "node"),
		verified: desc("member_verified", "How many nodes, this one among them, a member's data plane has lately answered.", "node"),
		missing:  desc("member_purges_missing", "Purges that a member has yet to carry out.", "node"),
		unread:   desc("unread_total", "Packets and connections that came without the fleet's secret."),
		refused:  desc("server_id_missing", "1 while this node has no server ID: it waits for the others, or another node has it."),
	}
}

type collector struct {
	fleet *Fleet

	members, heard, rtt, verified, missing, unread, refused *prometheus.Desc
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.members, c.heard, c.rtt, c.verified, c.missing, c.unread, c.refused} {
		out <- d
	}
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.fleet.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counts := map[gossip.Status]int{gossip.Alive: 0, gossip.Failed: 0, gossip.Left: 0}
	for _, m := range s.Members {
		counts[m.State]++
		if !m.Heard.IsZero() {
			gauge(c.heard, time.Since(m.Heard).Seconds(), m.Name)
		}
		if m.RTT > 0 {
			gauge(c.rtt, m.RTT.Seconds(), m.Name)
		}
		gauge(c.verified, float64(len(m.VerifiedBy)), m.Name)
		gauge(c.missing, float64(m.PurgesMissing), m.Name)
	}
	for state, n := range counts {
		gauge(c.members, float64(n), string(state))
	}
	missing := 0.0
	if s.ServerID == "" {
		missing = 1
	}
	gauge(c.refused, missing)
	out <- prometheus.MustNewConstMetric(c.unread, prometheus.CounterValue, float64(s.Unread))
}
