package proxy

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// durations are what requests are told apart by that take no longer, in ascending order.
var durations = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
}

// tally are the figures of requests of one kind, of one site. What most requests add to is one line of the processor's
// cache: with thousands of sites each line more is one more wait for memory, which nothing else can be done in, since
// additions are atomic. Metrics of the library's own would be six.
type tally struct {
	micros   atomic.Uint64                     // that they took, all together
	sent     atomic.Uint64                     // octets
	received atomic.Uint64                     // octets
	took     [len(durations) + 1]atomic.Uint64 // how many: no longer than the duration in the same place, and than none
	_        [192 - 8*(4+len(durations))]byte  // makes it three whole lines, at which the allocator lets it begin then
}

// note adds a request.
func (t *tally) note(took time.Duration, sent int64) {
	place := 0
	for place < len(durations) && took > durations[place] {
		place++
	}
	t.took[place].Add(1)
	t.micros.Add(uint64(max(took+time.Microsecond/2, 0) / time.Microsecond))
	t.sent.Add(uint64(sent))
}

// tallies are those of a node, a prometheus.Collector. They outlive chains.
type tallies struct {
	mu   sync.Mutex // guards the following field
	each map[tallied]*tally
}

// tallied is what a tally is of.
type tallied struct {
	kind
	site string
}

func (t *tallies) of(k kind, site string) *tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := tallied{k, site}
	one := t.each[key]
	if one == nil {
		if t.each == nil {
			t.each = map[tallied]*tally{}
		}
		one = new(tally)
		t.each[key] = one
	}
	return one
}

// The metrics that tallies make.
var (
	siteLabels   = []string{"vip", "site"}
	requestsDesc = prometheus.NewDesc("anyedge_proxy_requests_total",
		"Requests answered or given up, by status class; 4xx includes clients that left.",
		[]string{"vip", "site", "proto", "class"}, nil)
	durationDesc = prometheus.NewDesc("anyedge_proxy_request_duration_seconds",
		"From a request's header section to the end of its response.", siteLabels, nil)
	receivedDesc = prometheus.NewDesc("anyedge_proxy_received_bytes_total", "Octets of the requests' contents.", siteLabels, nil)
	sentDesc     = prometheus.NewDesc("anyedge_proxy_sent_bytes_total", "Octets of the responses' contents.", siteLabels, nil)
)

// Describe fulfils prometheus.Collector.
func (t *tallies) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, durationDesc, receivedDesc, sentDesc} {
		to <- d
	}
}

// Collect fulfils prometheus.Collector.
func (t *tallies) Collect(to chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	sites := map[[2]string]*siteTally{}
	for of, one := range t.all() {
		key := [2]string{of.vip, of.site}
		if sites[key] == nil {
			sites[key] = &siteTally{}
		}
		counter(requestsDesc, sites[key].add(one), of.vip, of.site, of.protocol, strconv.Itoa(of.class)+"xx")
	}
	for key, s := range sites {
		vip, site := key[0], key[1]
		count, within := s.within()
		to <- prometheus.MustNewConstHistogram(durationDesc, count, float64(s.micros)/1e6, within, vip, site)
		counter(receivedDesc, s.received, vip, site)
		counter(sentDesc, s.sent, vip, site)
	}
}

// all returns what there is.
func (t *tallies) all() map[tallied]*tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.each)
}

// siteTally is the sum of a site's tallies.
type siteTally struct {
	micros, sent, received uint64
	took                   [len(durations) + 1]uint64
}

// add adds t, and returns how many requests that were.
func (s *siteTally) add(t *tally) (requests uint64) {
	for i := range t.took {
		n := t.took[i].Load()
		s.took[i] += n
		requests += n
	}
	s.micros += t.micros.Load()
	s.received += t.received.Load()
	s.sent += t.sent.Load()
	return requests
}

// within is how many requests there were, and how many took no longer than each duration, in seconds.
func (s *siteTally) within() (count uint64, within map[float64]uint64) {
	within = make(map[float64]uint64, len(durations))
	for i, d := range durations {
		count += s.took[i]
		within[d.Seconds()] = count
	}
	return count + s.took[len(durations)], within
}
