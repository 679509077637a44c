package health

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector shows every signal to Prometheus: anyedge_health_signal_value in the signal's unit, and
// anyedge_health_signal_grade (0 unknown, 1 ok, 2 warn, 3 crit), by signal and subject.
func (t *Tracker) Collector() prometheus.Collector {
	labels := []string{"signal", "subject"}
	return &collector{
		tracker: t,
		value:   prometheus.NewDesc("anyedge_health_signal_value", "A signal's value: a ratio, seconds, or failures in a row.", labels, nil),
		grade:   prometheus.NewDesc("anyedge_health_signal_grade", "A signal's grade: 0 unknown, 1 ok, 2 warn, 3 crit.", labels, nil),
	}
}

type collector struct {
	tracker      *Tracker
	value, grade *prometheus.Desc
}

func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.value
	descs <- c.grade
}

func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	for _, s := range c.tracker.Signals(time.Now()) {
		labels := []string{string(s.Name), s.Subject}
		metrics <- prometheus.MustNewConstMetric(c.value, prometheus.GaugeValue, s.Value, labels...)
		metrics <- prometheus.MustNewConstMetric(c.grade, prometheus.GaugeValue, float64(s.Grade), labels...)
	}
}
