package main

import (
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

func TestRecorderKeepsTheLastSamples(t *testing.T) {
	r, begin := newRecorder(), time.Unix(1000, 0)
	at := func(i int) time.Time { return begin.Add(time.Duration(i) * sampleInterval) }
	signal := func(subject string, value float64) health.Signal {
		return health.Signal{Name: health.FillErrors, Subject: subject, Value: value, Grade: health.OK}
	}
	for i := range 2 * sampleCount {
		// Two VIPs with the same origin: one sample.
		r.record(at(i), []routing.Explanation{{Signals: []health.Signal{signal("shop", float64(i))}}, {Signals: []health.Signal{signal("shop", -1)}}})
	}
	all := r.last(seriesKey{health.FillErrors, "shop"}, sampleCount)
	if len(all) != sampleCount || all[0].Value != sampleCount || all[sampleCount-1].Value != 2*sampleCount-1 {
		t.Errorf("%d samples, %v to %v", len(all), all[0], all[len(all)-1])
	}
	newest := r.last(seriesKey{health.FillErrors, "shop"}, 1)
	if len(newest) != 1 || newest[0].At != at(2*sampleCount-1).UnixMilli() || newest[0].Grade != health.OK {
		t.Errorf("newest %v", newest)
	}
	r.record(at(2*sampleCount), []routing.Explanation{{Signals: []health.Signal{signal("img", 1)}}})
	if left := r.last(seriesKey{health.FillErrors, "shop"}, 1); len(left) != 0 {
		t.Errorf("of an origin that is gone: %v", left)
	}
	if newest[0].Value != 2*sampleCount-1 {
		t.Error("samples that were handed out have changed")
	}
}

// The status page gets the past once, then what is new.
func TestSnapshot(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	e.await("samples", func() bool {
		s := e.node.Snapshot(true).(Snapshot)
		return len(s.VIPs) == 1 && len(s.VIPs[0].Signals) > 2 && len(s.VIPs[0].Signals[0].Samples) > 1
	})
	s := e.node.Snapshot(false).(Snapshot)
	if v := s.VIPs[0]; v.Name != "www" || v.Level != routing.Announced || len(v.Signals[0].Samples) != 1 {
		t.Errorf("%+v", v)
	}
	if s.Status.Node != "test-1" || len(s.Status.Peers) != 1 {
		t.Errorf("%+v", s.Status)
	}
}
