package proxy

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what every chain of a node serves; it outlives reloads. A nil *Metrics counts nothing.
type Metrics struct {
	tallies  tallies
	inFlight prometheus.Gauge
	earlies  *prometheus.CounterVec
	clients  *prometheus.CounterVec
}

// NewMetrics returns metrics that are registered on reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "anyedge_proxy_requests_in_flight",
			Help: "Requests and tunnels under way.",
		}),
		earlies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_proxy_early_requests_total",
			Help: "Requests in early data: served at once, refused with 425, or held until the handshake was complete (waited).",
		}, []string{"vip", "site", "outcome"}),
		clients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_proxy_client_certificates_total",
			Help: "Requests for sites that take client certificates: with one (taken), without (none), or refused with 421: by a connection of another site (other_site), or by one whose certificate isn't taken any more or is missing (refused).",
		}, []string{"vip", "site", "outcome"}),
	}
	reg.MustRegister(&m.tallies, m.inFlight, m.earlies, m.clients)
	return m
}

func (m *Metrics) begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

func (m *Metrics) end(ex *exchange, r *http.Request, complete bool) {
	if m == nil {
		return
	}
	took := time.Since(ex.started)
	m.inFlight.Dec()
	t := m.tallyOf(ex, kind{ex.info.VIP, string(httpVersion(r)), ex.status(complete) / 100})
	t.note(took, ex.recorder.written)
	t.received.Add(uint64(ex.received()))
}

func (m *Metrics) tallyOf(ex *exchange, k kind) *tally {
	if ex.rule != nil {
		return ex.rule.ledgers.ofKind(k).tally
	}
	return m.tallies.of(k, ex.siteName())
}

func (m *Metrics) early(ex *exchange, outcome earlyOutcome) {
	if m != nil {
		m.earlies.WithLabelValues(ex.info.VIP, ex.siteName(), string(outcome)).Inc()
	}
}

func (m *Metrics) client(ex *exchange, outcome clientOutcome) {
	if m != nil {
		m.clients.WithLabelValues(ex.info.VIP, ex.siteName(), string(outcome)).Inc()
	}
}
