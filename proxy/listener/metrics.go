package listener

import (
	"fmt"
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what all listeners of a node do. It is made once and shared.
type Metrics struct {
	open       *prometheus.GaugeVec   // vip, protocol
	accepted   *prometheus.CounterVec // vip, protocol
	refused    *prometheus.CounterVec // vip, transport
	lost       *prometheus.CounterVec // vip, protocol, reason
	handshakes *prometheus.CounterVec // vip, transport, result
	sessions   *prometheus.CounterVec // vip, transport, version, resumed
	exchanges  *prometheus.CounterVec // vip, transport, curve, ech
	acceptErrs *prometheus.CounterVec // vip
	sendErrs   *prometheus.CounterVec // vip
	panics     *prometheus.CounterVec // vip
	tooLarge   *prometheus.CounterVec // vip
	unfinished *prometheus.GaugeVec   // vip
	retries    *prometheus.CounterVec // vip, reason
	proven     *prometheus.CounterVec // vip
	rehomed    *prometheus.CounterVec // vip

	mu     sync.Mutex                // guards the following field
	losses map[string]map[string]int // by VIP and "h1 reset", as lost has them
}

// NewMetrics returns metrics that are registered on reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := newMetrics()
	reg.MustRegister(m.open, m.accepted, m.refused, m.lost, m.handshakes, m.sessions, m.exchanges, m.acceptErrs, m.sendErrs, m.panics, m.tooLarge,
		m.unfinished, m.retries, m.proven, m.rehomed)
	return m
}

// Lost returns how many of vip's connections have been lost, by protocol and reason, "h3 timeout". The map is the
// caller's. It may be called at any time by anyone.
func (m *Metrics) Lost(vip string) map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.losses[vip])
}

func (m *Metrics) noteLost(vip string, p Protocol, reason loss) {
	m.lost.WithLabelValues(vip, string(p), string(reason)).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.losses[vip] == nil {
		m.losses[vip] = map[string]int{}
	}
	m.losses[vip][fmt.Sprintf("%s %s", p, reason)]++
}

func newMetrics() *Metrics {
	return &Metrics{
		losses: map[string]map[string]int{},
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "anyedge_listener_connections",
			Help: "Open client connections.",
		}, []string{"vip", "protocol"}),
		accepted: counter("connections_total", "Client connections whose handshake, if any, succeeded.", "vip", "protocol"),
		refused:  counter("connections_refused_total", "Connections of clients that had as many as limits.client_connections; over quic one for each packet that would begin one.", "vip", "transport"),
		lost: counter("connections_lost_total",
			"Client connections that ended otherwise than by being closed: reset, timeout, error.", "vip", "protocol", "reason"),
		handshakes: counter("handshakes_total",
			"TLS handshakes over tcp and quic by result: ok, timeout, closed, reset, not_tls, rejected (by the client), refused (by us).",
			"vip", "transport", "result"),
		sessions: counter("tls_sessions_total", "Successful TLS handshakes by version and resumption.",
			"vip", "transport", "version", "resumed"),
		exchanges: counter("tls_key_exchanges_total", "Successful TLS handshakes by key exchange, and whether the client's hello was encrypted (ECH).",
			"vip", "transport", "curve", "ech"),
		acceptErrs: counter("accept_errors_total", "Connections that could not be accepted, for want of descriptors for example.", "vip"),
		sendErrs:   counter("udp_send_errors_total", "QUIC packets dropped by a passing error of the host, for want of a route for example.", "vip"),
		panics:     counter("panics_total", "Requests whose handler panicked: a defect; their stacks are in the log.", "vip"),
		unfinished: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "anyedge_listener_quic_handshakes",
			Help: "Unfinished QUIC handshakes.",
		}, []string{"vip"}),
		retries: counter("quic_retries_total",
			"Initial packets of QUIC clients that must first prove their address, answered with Retry while handshakes are too many (unfinished) or begin too fast (rate), or while one client has too many connections (client): limits.quic_handshakes, limits.quic_handshake_rate, limits.client_connections.",
			"vip", "reason"),
		proven:   counter("quic_addresses_proven_total", "QUIC handshakes that began with a token that holds, of a Retry or of an earlier connection.", "vip"),
		rehomed:  counter("quic_rehomed_total", "QUIC connections whose clients were asked, by GOAWAY, to connect anew, having lived on a detour for fleet.steering.rehome.", "vip"),
		tooLarge: counter("headers_too_large_total", "H1 and H2 requests answered 431 for fields above limits.header.", "vip"),
	}
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "anyedge_listener_" + name, Help: help}, labels)
}
