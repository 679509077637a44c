package cache

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// counters count what happened since the start, beside what sites and unstored do.
type counters struct {
	diskHits, loads, loadErrors, promoted atomic.Uint64 // see Stats

	stored, evicted, collapsed, alone, validated, purges, changed atomic.Uint64

	forwarded [len(fwds)]atomic.Uint64        // in the order of fwds
	stale     [len(staleCauses)]atomic.Uint64 // in the order of staleCauses
	encoding  encodingCounters

	purgeTime, fillTime, fillBytes prometheus.Histogram
}

func (c *counters) init() {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "anyedge_cache_" + name, Help: help, Buckets: buckets})
	}
	c.purgeTime = histogram("purge_seconds", "How long purges took until they were durable.", prometheus.ExponentialBuckets(1e-6, 4, 12))
	c.fillTime = histogram("fill_seconds", "From a fill's request to the end of what it brought.", prometheus.ExponentialBuckets(1e-3, 2, 16))
	c.fillBytes = histogram("fill_size_bytes", "Contents that fills brought to be shared or stored.", prometheus.ExponentialBuckets(1<<10, 4, 11))
}

// filled notes a fill that is complete.
func (c *counters) filled(size int64, took time.Duration) {
	c.fillBytes.Observe(float64(size))
	c.fillTime.Observe(took.Seconds())
}

// fwds are the reasons that are counted.
var fwds = [...]Fwd{FwdBypass, FwdMethod, FwdURIMiss, FwdVaryMiss, FwdRequest, FwdStale, FwdPartial}

// staleCauses are what lets an answer be stale, see usableOnError; the client's own max-stale, and the first for a
// validation behind the client's back.
var staleCauses = [...]string{"stale-while-revalidate", "stale-if-error", "disconnected", "max-stale"}

// note counts a request and fills in the outcome that its context carries.
func (x *exchange) note() {
	*outcomeFrom(x.r.Context()) = x.status.Outcome
	c, s := &x.c.figures, x.site
	switch {
	case x.status.Hit:
		s.hit(x.client.sent)
	default:
		s.miss(min(x.fromStored, x.client.sent), x.client.sent)
		count(c.forwarded[:], fwds[:], x.status.Fwd)
	}
	if x.status.Hit && x.status.Disk {
		c.diskHits.Add(1)
	}
	if x.status.Collapsed {
		c.collapsed.Add(1)
	}
	if x.alone {
		c.alone.Add(1)
	}
	if x.status.Stale {
		count(c.stale[:], staleCauses[:], x.staleCause())
	}
}

// staleCause is what let the answer be stale.
func (x *exchange) staleCause() string {
	switch {
	case x.found.State == StaleWhileRevalidate:
		return "stale-while-revalidate"
	case x.status.detail != "":
		return x.status.detail
	}
	return "max-stale"
}

// count adds one to the counter of a value.
func count[T comparable](counters []atomic.Uint64, values []T, value T) {
	for i := range values {
		if values[i] == value {
			counters[i].Add(1)
		}
	}
}

// Stats returns the cache's figures.
func (c *Cache) Stats() Stats {
	f := &c.figures
	s := Stats{
		Slots: c.index.slots.Load(), Responses: c.index.responses.Load(), Bytes: c.index.bytes.Load(),
		Stored: f.stored.Load(), Evicted: f.evicted.Load(), Collapsed: f.collapsed.Load(), HitForMiss: f.alone.Load(),
		Validated: f.validated.Load(), Purged: f.purges.Load(), Unstored: c.unstored.stats(),
		Memory: c.memory.Load(), Fills: int64(c.flights.count()), FillBytes: c.fills.used.Load(),
		Forwarded: make(map[Fwd]uint64, len(fwds)), Stale: make(map[string]uint64, len(staleCauses)),
	}
	s.SiteStats, s.Sites = c.sites.stats()
	s.DiskHits, s.Loads, s.LoadErrors, s.Promoted = f.diskHits.Load(), f.loads.Load(), f.loadErrors.Load(), f.promoted.Load()
	if c.tier != nil {
		s.Remembered = c.tier.past.count()
	}
	f.encoding.addTo(&s)
	for i, fwd := range fwds {
		s.Forwarded[fwd] = f.forwarded[i].Load()
	}
	for i, cause := range staleCauses {
		s.Stale[cause] = f.stale[i].Load()
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
	counter("stores_total", "Responses that were stored.", s.Stored)
	counter("evictions_total", "Stored responses that made room for others.", s.Evicted)
	counter("collapsed_total", "Requests that another one's fill answered.", s.Collapsed)
	counter("hit_for_miss_total", "Requests that waited for no other's fill, since what it brings can't be shared.", s.HitForMiss)
	counter("validated_total", "Stored responses that a 304 made fresh again.", s.Validated)
	counter("slices_dropped_total", "Contents in slices that the origin no longer had.", m.c.figures.changed.Load())
	counter("purges_total", "Purge requests.", s.Purged)
	counter("disk_hits_total", "Requests that a stored response from disk answered.", s.DiskHits)
	counter("disk_loads_total", "Keys that were looked for on disk.", s.Loads)
	counter("disk_load_errors_total", "Heads from disk that weren't understood, and contents that couldn't be read.", s.LoadErrors)
	counter("disk_promotions_total", "Contents that came from disk into memory.", s.Promoted)
	gauge("disk_remembered_purges", "Purges that what is on disk is held against.", int64(s.Remembered))
	collectEncoding(ch, &s)
	collectLabelled(ch, &s)
	for _, h := range []prometheus.Histogram{m.c.figures.purgeTime, m.c.figures.fillTime, m.c.figures.fillBytes} {
		h.Collect(ch)
	}
}

// collectLabelled sends what is counted by site, by reason and by cause.
func collectLabelled(ch chan<- prometheus.Metric, s *Stats) {
	counter := func(name, help, label, value string, v uint64) {
		ch <- prometheus.MustNewConstMetric(desc(name, help, label), prometheus.CounterValue, float64(v), value)
	}
	for name, site := range s.Sites {
		counter("requests_total", "Requests that the cache answered or sent on.", "site", name, site.Requests)
		counter("hits_total", "Requests that a stored response answered.", "site", name, site.Hits)
		counter("sent_bytes_total", "Octets of contents that were sent to clients.", "site", name, site.SentBytes)
		counter("hit_bytes_total", "Octets of them that came from what is stored.", "site", name, site.HitBytes)
	}
	for fwd, n := range s.Forwarded {
		counter("forwarded_total", "Requests that went to the origin, by the fwd parameter of Cache-Status.", "fwd", string(fwd), n)
	}
	for cause, n := range s.Stale {
		counter("stale_total", "Requests answered beyond the freshness lifetime, by what allowed it.", "cause", cause, n)
	}
	for reason, n := range s.Unstored {
		counter("unstored_total", "Responses to be stored that weren't, by the detail parameter of Cache-Status.", "reason", string(reason), n)
	}
}
