package main

import (
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// Snapshot is what the status page shows at a moment.
type Snapshot struct {
	Now    time.Time     `json:"now"`
	Status Status        `json:"status"`
	VIPs   []SnapshotVIP `json:"vips"`
}

// SnapshotVIP is a VIP's level with what it rests on, without its history.
type SnapshotVIP struct {
	Name      string           `json:"name"`
	Level     routing.Level    `json:"level"`
	LevelName string           `json:"level_name"`
	Since     time.Time        `json:"since"`
	Text      string           `json:"text"`
	Next      []routing.Next   `json:"next"`
	Signals   []SnapshotSignal `json:"signals"`

	Blackhole *routing.Blackhole `json:"blackhole,omitempty"`
}

// SnapshotSignal is a signal with its last samples: all that are kept, or the newest alone.
type SnapshotSignal struct {
	health.Signal
	Samples []Sample `json:"series"`
}

// Snapshot is what the status page shows now; whole with all the samples that are kept.
func (n *node) Snapshot(whole bool) any {
	count := 1
	if whole {
		count = sampleCount
	}
	status, _ := n.Status().(Status)
	s := Snapshot{Now: time.Now(), Status: status}
	all, _ := n.control.Explain("") // fails for a name that isn't there, and this is none
	for _, e := range all {
		v := SnapshotVIP{Name: e.VIP, Level: e.Level, LevelName: e.LevelName, Since: e.Since, Text: e.Text, Next: e.Next, Blackhole: e.Blackhole}
		for _, signal := range e.Signals {
			v.Signals = append(v.Signals, SnapshotSignal{signal, n.series.last(seriesKey{signal.Name, signal.Subject}, count)})
		}
		s.VIPs = append(s.VIPs, v)
	}
	return s
}
