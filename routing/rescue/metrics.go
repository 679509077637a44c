package rescue

import "github.com/prometheus/client_golang/prometheus"

// collector reads what has been counted.
type collector struct {
	rescue                                                                             *Rescue
	looked, missed, cookies, segments, injected, marked, unmarked, answers, interfaces *prometheus.Desc
}

// Collector shows the status to Prometheus.
func (r *Rescue) Collector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("anyedge_rescue_"+name, help, labels, nil)
	}
	return &collector{
		rescue:     r,
		looked:     desc("looked_total", "TCP segments to VIPs, as the kernel merged them, that were looked at; SYN isn't."),
		missed:     desc("missed_total", "TCP segments to VIPs that no socket of this host was for."),
		cookies:    desc("syn_cookies_total", "Segments that answered a SYN cookie of this host."),
		segments:   desc("segments_total", "TCP segments that no socket of this host was for, by what became of them.", "verdict"),
		injected:   desc("injected_total", "TCP segments that other nodes sent here, and this host received."),
		marked:     desc("marked_total", "Accepted connections whose timestamps say that they are this node's."),
		unmarked:   desc("mark_errors_total", "Accepted connections whose timestamps couldn't be set."),
		answers:    desc("answers_total", "Other nodes' questions for connections that this host has."),
		interfaces: desc("interfaces", "Interfaces whose packets are looked at."),
	}
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.looked, c.missed, c.cookies, c.segments, c.injected, c.marked, c.unmarked, c.answers, c.interfaces} {
		out <- d
	}
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	s := c.rescue.Status()
	count(c.looked, s.Looked)
	count(c.missed, s.Missed)
	count(c.cookies, s.Cookies)
	for v, n := range s.Verdicts {
		count(c.segments, n, v.String())
	}
	count(c.injected, s.Injected)
	count(c.marked, s.Marked)
	count(c.unmarked, s.Unmarked)
	count(c.answers, s.Answers)
	out <- prometheus.MustNewConstMetric(c.interfaces, prometheus.GaugeValue, float64(s.Interfaces))
}
