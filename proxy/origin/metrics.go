package origin

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector reads the figures of whatever pools there are: they come and go with reloads.
type collector struct {
	pools                                   func() []*Pool
	usable, inFlight, results               *prometheus.Desc
	connects, firstBytes                    *prometheus.Desc
	waiting, retries, ejections, turnedAway *prometheus.Desc
}

// NewCollector returns the metrics of the pools that pools lists at each scrape. No two of them may have one name.
func NewCollector(pools func() []*Pool) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("anyedge_origin_"+name, help, labels, nil)
	}
	return &collector{
		pools:      pools,
		usable:     desc("server_usable", "1 while requests go to the server, 0 while its probes find it down or it is ejected.", "origin", "server"),
		inFlight:   desc("server_requests_in_flight", "Requests at the server now.", "origin", "server"),
		results:    desc("server_requests_total", "Requests that the server was sent, by status class or error type; canceled where the client left.", "origin", "server", "result"),
		connects:   desc("server_connect_seconds", "Time to a new connection: name, TCP and TLS.", "origin", "server"),
		firstBytes: desc("server_first_byte_seconds", "From sending a request to its response's header section.", "origin", "server"),
		waiting:    desc("requests_waiting", "Requests that wait for a place at a server.", "origin"),
		retries:    desc("retries_total", "Requests that were sent again.", "origin"),
		ejections:  desc("ejections_total", "Times that failing requests ejected a server.", "origin"),
		turnedAway: desc("refused_total", "Requests refused since all places and the queue were full.", "origin"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.usable, c.inFlight, c.results, c.connects, c.firstBytes, c.waiting, c.retries, c.ejections, c.turnedAway} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	for _, p := range c.pools() {
		for _, s := range p.servers {
			c.server(to, p, s)
		}
		to <- number(c.waiting, prometheus.GaugeValue, int64(p.Status().Waiting), p.name)
		to <- number(c.retries, prometheus.CounterValue, p.counts.retries.Load(), p.name)
		to <- number(c.ejections, prometheus.CounterValue, p.counts.ejections.Load(), p.name)
		to <- number(c.turnedAway, prometheus.CounterValue, p.counts.refused.Load(), p.name)
	}
}

func (c *collector) server(to chan<- prometheus.Metric, p *Pool, s *server) {
	p.mu.Lock()
	state, inFlight, results := s.state(), s.inFlight, maps.Clone(s.results)
	p.mu.Unlock()
	usable := int64(0)
	if state == Up || state == Unprobed {
		usable = 1
	}
	labels := []string{p.name, s.url.String()}
	to <- number(c.usable, prometheus.GaugeValue, usable, labels...)
	to <- number(c.inFlight, prometheus.GaugeValue, int64(inFlight), labels...)
	for result, n := range results {
		to <- number(c.results, prometheus.CounterValue, n, p.name, s.url.String(), result)
	}
	to <- s.connects.metric(c.connects, labels...)
	to <- s.firstBytes.metric(c.firstBytes, labels...)
}

func number(d *prometheus.Desc, t prometheus.ValueType, n int64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, t, float64(n), labels...)
}

// bounds are the histograms' upper bounds, from a neighbour's answer to the default first-byte timeout.
func bounds() [8]time.Duration {
	return [...]time.Duration{
		time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond,
		500 * time.Millisecond, 2 * time.Second, 10 * time.Second, 30 * time.Second,
	}
}

// histogram counts durations. It is prometheus's without a registry, since it goes with its server.
type histogram struct {
	mu     sync.Mutex // guards the following fields
	counts [8]uint64  // up to each of bounds, cumulative
	count  uint64
	sum    time.Duration
}

func (h *histogram) observe(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, bound := range bounds() {
		if d <= bound {
			h.counts[i]++
		}
	}
	h.count++
	h.sum += d
}

func (h *histogram) metric(d *prometheus.Desc, labels ...string) prometheus.Metric {
	h.mu.Lock()
	defer h.mu.Unlock()
	buckets := make(map[float64]uint64, len(h.counts))
	for i, bound := range bounds() {
		buckets[bound.Seconds()] = h.counts[i]
	}
	return prometheus.MustNewConstHistogram(d, h.count, h.sum.Seconds(), buckets, labels...)
}
