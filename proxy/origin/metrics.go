package origin

import "github.com/prometheus/client_golang/prometheus"

// collector reads the figures of whatever pools there are: they come and go with reloads.
type collector struct {
	pools                                              func() []*Pool
	up, inFlight, waiting, retries, ejections, refused *prometheus.Desc
}

// NewCollector returns the metrics of the pools that pools lists at each scrape.
func NewCollector(pools func() []*Pool) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("anyedge_origin_"+name, help, labels, nil)
	}
	return &collector{
		pools:     pools,
		up:        desc("server_usable", "1 while requests go to the server, 0 while its probes find it down or it is ejected.", "origin", "server"),
		inFlight:  desc("server_requests_in_flight", "Requests at the server now.", "origin", "server"),
		waiting:   desc("requests_waiting", "Requests that wait for a place at a server.", "origin"),
		retries:   desc("retries_total", "Requests that were sent again.", "origin"),
		ejections: desc("ejections_total", "Times that failing requests ejected a server.", "origin"),
		refused:   desc("refused_total", "Requests refused since all places and the queue were full.", "origin"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.inFlight, c.waiting, c.retries, c.ejections, c.refused} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	for _, p := range c.pools() {
		st := p.Status()
		gauge := func(d *prometheus.Desc, v int, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
		}
		for _, s := range st.Servers {
			usable := 0
			if s.State == Up || s.State == Unprobed {
				usable = 1
			}
			gauge(c.up, usable, p.name, s.URL)
			gauge(c.inFlight, s.InFlight, p.name, s.URL)
		}
		gauge(c.waiting, st.Waiting, p.name)
		for d, n := range map[*prometheus.Desc]int64{c.retries: p.counts.retries.Load(), c.ejections: p.counts.ejections.Load(), c.refused: p.counts.refused.Load()} {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), p.name)
		}
	}
}
