package proxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what every chain of a node serves; it outlives reloads. A nil *Metrics counts nothing.
type Metrics struct {
	inFlight prometheus.Gauge
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	received *prometheus.CounterVec
	sent     *prometheus.CounterVec
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
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_proxy_requests_total",
			Help: "Requests answered or given up, by status class; 4xx includes clients that left.",
		}, []string{"vip", "site", "proto", "class"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "anyedge_proxy_request_duration_seconds",
			Help:    "From a request's header section to the end of its response.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"vip", "site"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_proxy_received_bytes_total",
			Help: "Octets of the requests' contents.",
		}, []string{"vip", "site"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_proxy_sent_bytes_total",
			Help: "Octets of the responses' contents.",
		}, []string{"vip", "site"}),
		earlies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_proxy_early_requests_total",
			Help: "Requests in early data: served at once, refused with 425, or held until the handshake was complete (waited).",
		}, []string{"vip", "site", "outcome"}),
		clients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anyedge_proxy_client_certificates_total",
			Help: "Requests for sites that take client certificates: with one (taken), without (none), or refused with 421: by a connection of another site (other_site), or by one whose certificate isn't taken any more or is missing (refused).",
		}, []string{"vip", "site", "outcome"}),
	}
	reg.MustRegister(m.inFlight, m.requests, m.duration, m.received, m.sent, m.earlies, m.clients)
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
	if ex.rule != nil {
		t := ex.rule.ledgers.ofKind(kind{ex.info.VIP, string(httpVersion(r)), ex.status(complete) / 100}).tally
		t.requests.Inc()
		t.duration.Observe(took.Seconds())
		t.received.Add(float64(ex.received()))
		t.sent.Add(float64(ex.recorder.written))
		return
	}
	vip, site := ex.info.VIP, ex.siteName()
	m.requests.WithLabelValues(vip, site, string(httpVersion(r)), statusClass(ex.status(complete))).Inc()
	m.duration.WithLabelValues(vip, site).Observe(took.Seconds())
	m.received.WithLabelValues(vip, site).Add(float64(ex.received()))
	m.sent.WithLabelValues(vip, site).Add(float64(ex.recorder.written))
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

func statusClass(status int) string { return strconv.Itoa(status/100) + "xx" }
