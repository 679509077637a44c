package main

import (
	"context"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

const (
	// sampleInterval and sampleCount say how far the status page looks back: ten minutes.
	sampleInterval = 2 * time.Second
	sampleCount    = 300
	// maxSeries bounds the memory of a node with very many VIPs: 300 samples of 16 octets each.
	maxSeries = 1000
)

// Sample is a signal's value at a moment.
type Sample struct {
	At    int64        `json:"t"` // Unix milliseconds
	Value float32      `json:"v"`
	Grade health.Grade `json:"g"`
}

// seriesKey names a signal.
type seriesKey struct {
	name    health.SignalName
	subject string
}

// recorder keeps the last samples of every signal, for the status page.
type recorder struct {
	mu     sync.Mutex // guards the following field
	series map[seriesKey][]Sample
}

func newRecorder() *recorder { return &recorder{series: map[seriesKey][]Sample{}} }

// record takes a sample of each signal that some VIP's decision rests on, and forgets those that are gone.
func (r *recorder) record(now time.Time, all []routing.Explanation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[seriesKey][]Sample, len(r.series))
	for _, e := range all {
		for _, s := range e.Signals {
			k := seriesKey{s.Name, s.Subject}
			if _, done := next[k]; done || len(next) >= maxSeries {
				continue
			}
			old := r.series[k]
			old = old[max(len(old)-sampleCount+1, 0):]
			next[k] = append(old, Sample{now.UnixMilli(), float32(s.Value), s.Grade})
		}
	}
	r.series = next
}

// last returns the newest samples of a signal, oldest first, at most count. The slice doesn't change.
func (r *recorder) last(k seriesKey, count int) []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.series[k]
	return list[max(len(list)-count, 0):len(list):len(list)]
}

// sample records until ctx ends.
func (n *node) sample(ctx context.Context) error {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		all, _ := n.control.Explain("") // fails for a name that isn't there, and this is none
		n.series.record(time.Now(), all)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
