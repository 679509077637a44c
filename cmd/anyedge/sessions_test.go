package main

import (
	"testing"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// What is told of the BGP sessions: how many are down, and why.
func TestSessionFigures(t *testing.T) {
	up, down := routing.Peer{Name: "a", State: "established"}, routing.Peer{Name: "b", State: "active", LastError: "connection refused"}
	for _, c := range []struct {
		peers  []routing.Peer
		value  float64
		detail string
	}{
		{[]routing.Peer{up}, 0, ""},
		{[]routing.Peer{up, down}, .5, "1 of 2 down: b: connection refused"},
		{[]routing.Peer{down, {Name: "c"}, down}, 1, "3 of 3 down: b: connection refused; c"},
	} {
		got := sessionFigures(c.peers, &health.LoadOptions{})
		if len(got) != 1 || got[0].Name != health.BGPSessions || got[0].Value != c.value || got[0].Detail != c.detail {
			t.Errorf("%v: %+v", c.peers, got)
		}
	}
	if got := sessionFigures(nil, &health.LoadOptions{}); got != nil {
		t.Errorf("without peers: %v", got)
	}
	if got := sessionFigures([]routing.Peer{up}, &health.LoadOptions{Off: []health.SignalName{health.BGPSessions}}); got != nil {
		t.Errorf("switched off: %v", got)
	}
}
