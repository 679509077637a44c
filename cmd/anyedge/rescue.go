package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing/rescue"
	"github.com/anyedge/anyedge/routing/steer"
)

// newRescue opens what has TCP connections outlive a route change; nil: the configuration asks for none, or this host can't
// have it. The problem says what it lacks; a node serves as well without.
func newRescue(cfg *configs.Config, s *steer.Steerer, log *slog.Logger) (r *rescue.Rescue, problem string) {
	if !cfg.Fleet.TCPRescue {
		return nil, ""
	}
	r, err := rescue.Open(s, log)
	if err != nil {
		problem = oneLine(err)
		log.Warn("fleet.tcp_rescue: off, TCP connections end where the route changes", "lacks", problem)
		return nil, problem
	}
	return r, ""
}

// rescueWarnings says what this host lacks for the TCP rescue that cfg asks for.
func rescueWarnings(cfg *configs.Config) []string {
	if !cfg.Fleet.TCPRescue {
		return nil
	}
	if err := rescue.Missing(); err != nil {
		return []string{"fleet.tcp_rescue would be off for this user on this host: " + oneLine(err)}
	}
	return nil
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// RescueStatus is what became of TCP segments that came here and belonged elsewhere.
type RescueStatus struct {
	State   string `json:"state"`             // on, off
	Problem string `json:"problem,omitempty"` // what this host lacks
	// Interfaces are looked at, and their segments to VIPs; Missed are those that no socket of this host was for.
	Interfaces int    `json:"interfaces"`
	Looked     uint64 `json:"looked"`
	Missed     uint64 `json:"missed"`
	// Segments are those that were missed, by verdict.
	Segments map[string]uint64 `json:"segments,omitempty"`
	Injected uint64            `json:"injected"` // from other nodes, for this host's sockets
	Marked   uint64            `json:"marked"`   // connections
	Unmarked uint64            `json:"unmarked"` // connections where that failed
	Answers  uint64            `json:"answers"`  // to other nodes' questions
}

// rescueStatus is nil where the configuration asks for none.
func (n *node) rescueStatus() *RescueStatus {
	switch {
	case n.rescue == nil && n.rescueProblem == "":
		return nil
	case n.rescue == nil:
		return &RescueStatus{State: "off", Problem: n.rescueProblem}
	}
	s := n.rescue.Status()
	status := &RescueStatus{
		State: "on", Interfaces: s.Interfaces, Looked: s.Looked, Missed: s.Missed, Segments: map[string]uint64{},
		Injected: s.Injected, Marked: s.Marked, Unmarked: s.Unmarked, Answers: s.Answers,
	}
	for v, count := range s.Verdicts {
		status.Segments[v.String()] = count
	}
	return status
}

// rows are the lines of the status.
func (s *RescueStatus) rows() []string {
	switch {
	case s == nil:
		return nil
	case s.State == "off":
		return []string{"rescue\ttcp\toff\t\t" + s.Problem}
	}
	return []string{fmt.Sprintf("rescue\ttcp\ton\t%s\tsegments %d, without a socket here %d: %s; injected %d; connections marked %d, not %d; questions answered %d",
		count(s.Interfaces, "interface"), s.Looked, s.Missed, counted(s.Segments), s.Injected, s.Marked, s.Unmarked, s.Answers)}
}
