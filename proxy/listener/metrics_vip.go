package listener

import (
	"crypto/tls"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// transport is what a handshake went over, for metrics.
type transport string

const (
	overTCP  transport = "tcp"
	overQUIC transport = "quic"
)

// vipMetrics are the metrics of one VIP.
type vipMetrics struct {
	all            *Metrics
	vip            string
	acceptErrors   prometheus.Counter
	sendErrors     prometheus.Counter
	panics         prometheus.Counter
	headersRefused prometheus.Counter
	unfinished     prometheus.Gauge
	proven         prometheus.Counter
	rehomed        prometheus.Counter
	retries        map[crowd]prometheus.Counter
	turnedAway     map[transport]prometheus.Counter
}

func (m *Metrics) of(vip string) *vipMetrics {
	return &vipMetrics{
		all: m, vip: vip,
		acceptErrors:   m.acceptErrs.WithLabelValues(vip),
		sendErrors:     m.sendErrs.WithLabelValues(vip),
		panics:         m.panics.WithLabelValues(vip),
		headersRefused: m.tooLarge.WithLabelValues(vip),
		unfinished:     m.unfinished.WithLabelValues(vip),
		proven:         m.proven.WithLabelValues(vip),
		rehomed:        m.rehomed.WithLabelValues(vip),
		retries: map[crowd]prometheus.Counter{
			crowdUnfinished: m.retries.WithLabelValues(vip, string(crowdUnfinished)),
			crowdRate:       m.retries.WithLabelValues(vip, string(crowdRate)),
			crowdClient:     m.retries.WithLabelValues(vip, string(crowdClient)),
		},
		turnedAway: map[transport]prometheus.Counter{
			overTCP:  m.refused.WithLabelValues(vip, string(overTCP)),
			overQUIC: m.refused.WithLabelValues(vip, string(overQUIC)),
		},
	}
}

func (m *vipMetrics) opened(p Protocol) {
	m.all.accepted.WithLabelValues(m.vip, string(p)).Inc()
	m.all.open.WithLabelValues(m.vip, string(p)).Inc()
}

func (m *vipMetrics) refused(t transport) { m.turnedAway[t].Inc() }

func (m *vipMetrics) closed(p Protocol) {
	m.all.open.WithLabelValues(m.vip, string(p)).Dec()
}

func (m *vipMetrics) lost(p Protocol, reason loss) {
	m.all.noteLost(m.vip, p, reason)
}

func (m *vipMetrics) handshake(t transport, s *tls.ConnectionState) {
	m.all.handshakes.WithLabelValues(m.vip, string(t), string(handshakeOK)).Inc()
	m.all.sessions.WithLabelValues(m.vip, string(t), tls.VersionName(s.Version), strconv.FormatBool(s.DidResume)).Inc()
	m.all.exchanges.WithLabelValues(m.vip, string(t), s.CurveID.String(), strconv.FormatBool(s.ECHAccepted)).Inc()
}

func (m *vipMetrics) handshakeFailed(t transport, r handshakeResult) {
	m.all.handshakes.WithLabelValues(m.vip, string(t), string(r)).Inc()
}
