package acme

import (
	"errors"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts orders, and counts names by their state when it is asked.
type metrics struct {
	orders *prometheus.CounterVec
	names  *prometheus.Desc
	shared *prometheus.Desc
	asked  *prometheus.Desc
	demand *prometheus.Desc
	from   *Manager
}

func newMetrics(r prometheus.Registerer, m *Manager) *metrics {
	c := &metrics{
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_acme_orders_total",
			Help: "Certificates ordered, by authority and outcome: issued, refused, rate_limited, unreachable.",
		}, []string{"authority", "outcome"}),
		names:  prometheus.NewDesc("anyedge_acme_names", "Names whose certificates come by ACME, by state: good, missing, failing, expired.", []string{"state"}, nil),
		shared: prometheus.NewDesc("anyedge_acme_storage_up", "Whether the storage that the nodes share for certificates could be used the last time: 1 or 0; only where there is one.", nil, nil),
		asked:  prometheus.NewDesc("anyedge_acme_challenges_answered_total", "Questions of authorities that this node has answered, whichever node had ordered, by challenge: http-01, tls-alpn-01.", []string{"type"}, nil),
		demand: prometheus.NewDesc("anyedge_acme_demands_total", "Names that clients asked for and no certificate covers, by what became of them: allowed, refused, failed (no answer), limited.", []string{"outcome"}, nil),
		from:   m,
	}
	if r != nil {
		r.MustRegister(c.orders, c)
	}
	return c
}

// ordered counts an order by how it ended.
func (c *metrics) ordered(authority string, err error) {
	outcome := "unreachable"
	switch _, answered := errors.AsType[acmeproto.Problem](err); {
	case err == nil:
		outcome = "issued"
	case rateLimited(err):
		outcome = "rate_limited"
	case answered:
		outcome = "refused"
	}
	c.orders.WithLabelValues(authority, outcome).Inc()
}

// Describe fulfils prometheus.Collector.
func (c *metrics) Describe(to chan<- *prometheus.Desc) {
	to <- c.names
	to <- c.shared
	to <- c.asked
	to <- c.demand
}

// Collect fulfils prometheus.Collector.
func (c *metrics) Collect(to chan<- prometheus.Metric) {
	count := map[State]int{Good: 0, Missing: 0, Failing: 0, Expired: 0}
	now := time.Now()
	c.from.mu.Lock()
	for _, t := range c.from.names {
		count[t.state(now)]++
	}
	c.from.mu.Unlock()
	for kind, n := range c.from.config.Challenges.Answered() {
		to <- prometheus.MustNewConstMetric(c.asked, prometheus.CounterValue, float64(n), kind)
	}
	for v, n := range c.from.demand.counts() {
		to <- prometheus.MustNewConstMetric(c.demand, prometheus.CounterValue, float64(n), string(v))
	}
	if s := c.from.Storage(); s != nil {
		up := 1.0
		if s.Problem != "" {
			up = 0
		}
		to <- prometheus.MustNewConstMetric(c.shared, prometheus.GaugeValue, up)
	}
	for s, n := range count {
		to <- prometheus.MustNewConstMetric(c.names, prometheus.GaugeValue, float64(n), string(s))
	}
}
