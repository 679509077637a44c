package steer

import "github.com/prometheus/client_golang/prometheus"

// collector reads what sockets, the tunnel and peers have counted.
type collector struct {
	steerer                                *Steerer
	datagrams, refused                     *prometheus.Desc
	forwarded, octets, injected, sendFails *prometheus.Desc
	rtt, pmtu, dead, detours               *prometheus.Desc
}

// Collector shows verdicts, refusals and peers to Prometheus.
func (s *Steerer) Collector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("anyedge_steer_"+name, help, labels, nil)
	}
	return &collector{
		steerer:   s,
		datagrams: desc("datagrams_total", "QUIC datagrams that came to a VIP's address, by what became of them.", "address", "verdict"),
		refused:   desc("refused_total", "Messages of the tunnel that were dropped, by reason.", "reason"),
		forwarded: desc("forwarded_total", "Datagrams sent to their owner.", "node"),
		octets:    desc("forwarded_bytes_total", "Octets sent to their owner, with the tunnel's headers.", "node"),
		injected:  desc("injected_total", "Datagrams of this node's connections that another node sent here.", "node"),
		sendFails: desc("send_errors_total", "Messages that the host couldn't send to a node.", "node"),
		rtt:       desc("node_rtt_seconds", "Smoothed time for a ping to a node and its answer; 0 before the first.", "node"),
		pmtu:      desc("node_pmtu_bytes", "What an IP packet to a node may have unfragmented; 0 before it is known.", "node"),
		detours:   desc("detoured_clients", "Clients whose QUIC datagrams come by another node.", "address"),
		dead:      desc("node_dead", "1 while a node's clients are told that their connections are lost.", "node"),
	}
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.datagrams, c.refused, c.forwarded, c.octets, c.injected, c.sendFails, c.rtt, c.pmtu, c.dead, c.detours} {
		out <- d
	}
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for address, verdicts := range c.steerer.Verdicts() {
		for v, n := range verdicts {
			count(c.datagrams, n, address.String(), v.String())
		}
	}
	for address, n := range c.steerer.Detours() {
		out <- prometheus.MustNewConstMetric(c.detours, prometheus.GaugeValue, float64(n), address.String())
	}
	for reason, n := range c.steerer.Refused() {
		count(c.refused, n, reason.String())
	}
	for _, p := range c.steerer.Peers() {
		count(c.forwarded, p.Forwarded, p.Name)
		count(c.octets, p.ForwardedBytes, p.Name)
		count(c.injected, p.Injected, p.Name)
		count(c.sendFails, p.SendErrors, p.Name)
		out <- prometheus.MustNewConstMetric(c.rtt, prometheus.GaugeValue, p.RTT.Seconds(), p.Name)
		out <- prometheus.MustNewConstMetric(c.pmtu, prometheus.GaugeValue, float64(p.PMTU), p.Name)
		dead := 0.0
		if p.Dead {
			dead = 1
		}
		out <- prometheus.MustNewConstMetric(c.dead, prometheus.GaugeValue, dead, p.Name)
	}
}
