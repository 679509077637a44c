package routing

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the controller counts as it goes; levels are read from the last round.
type metrics struct {
	transitions *prometheus.CounterVec
	spoken      prometheus.Histogram
	errors      prometheus.Counter
	level       *prometheus.Desc
	penalty     *prometheus.Desc
	shedding    *prometheus.Desc
	refusing    *prometheus.Desc
}

func newMetrics() *metrics {
	return &metrics{
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_routing_transitions_total", Help: "Changes of a VIP's level, by their reason.",
		}, []string{"vip", "from", "to", "reason"}),
		spoken: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "anyedge_routing_decision_to_speaker_seconds", Help: "From a decision until the speaker has the routes.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8), // 0.1 ms to 1.6 s
		}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "anyedge_routing_speaker_errors_total", Help: "Calls of the speaker that failed, and are tried again.",
		}),
		level: prometheus.NewDesc("anyedge_routing_level",
			"A VIP's level: 0 announced, 1 lightly depreferred, 2 depreferred, 3 partly withdrawn, 4 withdrawn.", []string{"vip"}, nil),
		penalty:  prometheus.NewDesc("anyedge_routing_penalty", "What the changes of a VIP's routes have cost; above 550 no rise begins, above 1200 none from withdrawn.", []string{"vip"}, nil),
		shedding: prometheus.NewDesc("anyedge_routing_shedding", "1 while load asks the node to do without what it can.", nil, nil),
		refusing: prometheus.NewDesc("anyedge_routing_refusing_fills", "1 while load is critical and what only an origin could answer is refused.", nil, nil),
	}
}

func (m *metrics) transition(vip string, d Decision) {
	m.transitions.WithLabelValues(vip, digit(d.From), digit(d.To), string(d.Reason)).Inc()
}

func digit(l Level) string { return strconv.Itoa(int(l)) }

// Collector shows levels, transitions and the speaker's times to Prometheus.
func (c *Controller) Collector() prometheus.Collector { return &collector{c} }

type collector struct{ controller *Controller }

func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	m := c.controller.metrics
	m.transitions.Describe(descs)
	m.spoken.Describe(descs)
	m.errors.Describe(descs)
	descs <- m.level
	descs <- m.penalty
	descs <- m.shedding
	descs <- m.refusing
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	m := c.controller.metrics
	m.transitions.Collect(out)
	m.spoken.Collect(out)
	m.errors.Collect(out)
	shedding := 0.0
	if c.controller.Shedding() {
		shedding = 1
	}
	refusing := 0.0
	if c.controller.Refusing() {
		refusing = 1
	}
	out <- prometheus.MustNewConstMetric(m.shedding, prometheus.GaugeValue, shedding)
	out <- prometheus.MustNewConstMetric(m.refusing, prometheus.GaugeValue, refusing)
	now := c.controller.clock.now()
	for _, v := range *c.controller.view.Load() {
		penalty := v.record.Decision.State.Damper.Value(now)
		out <- prometheus.MustNewConstMetric(m.penalty, prometheus.GaugeValue, penalty, v.vip.Name)
		out <- prometheus.MustNewConstMetric(m.level, prometheus.GaugeValue, float64(v.level()), v.vip.Name)
	}
}
