package cache

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counters count what happened since the start.
type counters struct {
	diskHits, loads, loadErrors, promoted atomic.Uint64 // see Stats

	hits, stored, evicted, collapsed, stale, validated, purges, bytes, changed atomic.Uint64

	forwarded [len(fwds)]atomic.Uint64 // in the order of fwds
	encoding  encodingCounters
}

// fwds are the reasons that are counted.
var fwds = [...]Fwd{FwdBypass, FwdMethod, FwdURIMiss, FwdVaryMiss, FwdRequest, FwdStale, FwdPartial}

// note counts a request and fills in the outcome that its context carries.
func (x *exchange) note() {
	*outcomeFrom(x.r.Context()) = x.status.Outcome
	c := &x.c.figures
	if x.status.Hit {
		c.hits.Add(1)
	}
	if x.status.Hit && x.status.Disk {
		c.diskHits.Add(1)
	}
	for i, fwd := range fwds {
		if !x.status.Hit && x.status.Fwd == fwd {
			c.forwarded[i].Add(1)
		}
	}
	if x.status.Collapsed {
		c.collapsed.Add(1)
	}
	if x.status.Stale {
		c.stale.Add(1)
	}
}

// Stats returns the cache's figures.
func (c *Cache) Stats() Stats {
	f := &c.figures
	s := Stats{
		Slots: c.index.slots.Load(), Responses: c.index.responses.Load(), Bytes: c.index.bytes.Load(),
		Hits: f.hits.Load(), Stored: f.stored.Load(), Evicted: f.evicted.Load(), Collapsed: f.collapsed.Load(),
		Stale: f.stale.Load(), Validated: f.validated.Load(), Purged: f.purges.Load(),
		Memory: c.memory.Load(), Fills: int64(c.flights.count()), FillBytes: c.fills.used.Load(), Forwarded: make(map[Fwd]uint64, len(fwds)),
	}
	s.DiskHits, s.Loads, s.LoadErrors, s.Promoted = f.diskHits.Load(), f.loads.Load(), f.loadErrors.Load(), f.promoted.Load()
	if c.tier != nil {
		s.Remembered = c.tier.past.count()
	}
	f.encoding.addTo(&s)
	for i, fwd := range fwds {
		s.Forwarded[fwd] = f.forwarded[i].Load()
	}
	return s
}

// RegisterMetrics registers the cache's metrics, which it collects when asked for.
func (c *Cache) RegisterMetrics(reg prometheus.Registerer) { reg.MustRegister(collector{c}) }

// collector reads Stats when it is asked.
type collector struct{ c *Cache }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("anyedge_cache_"+name, help, labels, nil)
}

// Describe leaves the metrics to Collect.
func (m collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect sends the metrics.
func (m collector) Collect(ch chan<- prometheus.Metric) {
	s := m.c.Stats()
	counter := func(name, help string, v uint64) {
		ch <- prometheus.MustNewConstMetric(desc(name, help), prometheus.CounterValue, float64(v))
	}
	gauge := func(name, help string, v int64) {
		ch <- prometheus.MustNewConstMetric(desc(name, help), prometheus.GaugeValue, float64(v))
	}
	gauge("stored_slots", "Target URIs with at least one stored response.", s.Slots)
	gauge("stored_responses", "Stored responses, each variant counted.", s.Responses)
	gauge("stored_bytes", "Contents and fields that are stored, with overhead.", s.Bytes)
	gauge("memory_bytes", "Memory that stored responses and fills may hold now.", s.Memory)
	gauge("fills", "Fills in flight.", s.Fills)
	gauge("fill_bytes", "Memory that fills in flight hold.", s.FillBytes)
	counter("hits_total", "Requests that a stored response answered.", s.Hits)
	counter("stores_total", "Responses that were stored.", s.Stored)
	counter("evictions_total", "Stored responses that made room for others.", s.Evicted)
	counter("collapsed_total", "Requests that another one's fill answered.", s.Collapsed)
	counter("stale_total", "Requests answered beyond the freshness lifetime.", s.Stale)
	counter("validated_total", "Stored responses that a 304 made fresh again.", s.Validated)
	counter("slices_dropped_total", "Contents in slices that the origin no longer had.", m.c.figures.changed.Load())
	counter("purges_total", "Purge requests.", s.Purged)
	counter("hit_bytes_total", "Content that was answered from what is stored.", m.c.figures.bytes.Load())
	counter("disk_hits_total", "Requests that a stored response from disk answered.", s.DiskHits)
	counter("disk_loads_total", "Keys that were looked for on disk.", s.Loads)
	counter("disk_load_errors_total", "Heads from disk that weren't understood, and contents that couldn't be read.", s.LoadErrors)
	counter("disk_promotions_total", "Contents that came from disk into memory.", s.Promoted)
	gauge("disk_remembered_purges", "Purges that what is on disk is held against.", int64(s.Remembered))
	collectEncoding(ch, &s)
	for fwd, n := range s.Forwarded {
		ch <- prometheus.MustNewConstMetric(desc("forwarded_total", "Requests that went to the origin, by the fwd parameter of Cache-Status.", "fwd"),
			prometheus.CounterValue, float64(n), string(fwd))
	}
}
