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
	from   *Manager
}

func newMetrics(r prometheus.Registerer, m *Manager) *metrics {
	c := &metrics{
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_acme_orders_total",
			Help: "Certificates ordered, by authority and outcome: issued, refused, rate_limited, unreachable.",
		}, []string{"authority", "outcome"}),
		names: prometheus.NewDesc("anyedge_acme_names", "Names whose certificates come by ACME, by state: good, missing, failing, expired.", []string{"state"}, nil),
		from:  m,
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
func (c *metrics) Describe(to chan<- *prometheus.Desc) { to <- c.names }

// Collect fulfils prometheus.Collector.
func (c *metrics) Collect(to chan<- prometheus.Metric) {
	count := map[State]int{Good: 0, Missing: 0, Failing: 0, Expired: 0}
	now := time.Now()
	c.from.mu.Lock()
	for _, t := range c.from.names {
		count[t.state(now)]++
	}
	c.from.mu.Unlock()
	for s, n := range count {
		to <- prometheus.MustNewConstMetric(c.names, prometheus.GaugeValue, float64(n), string(s))
	}
}
