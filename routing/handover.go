package routing

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Handover is what a process that makes way for another on the same node tells it: all that was decided, so that the other
// goes on from there. Unlike what Memory keeps for a restart it is as of now, and costs nothing: routes stay as they are.
type Handover struct {
	Version    int                   `json:"version"`
	VIPs       map[string]State      `json:"vips"`
	Forces     map[string]*Force     `json:"forces,omitempty"`
	Drains     map[string]*Drain     `json:"drains,omitempty"`
	Blackholes map[string]*Blackhole `json:"blackholes,omitempty"`
	Starts     []time.Time           `json:"starts,omitempty"` // since the last goodbye, for the quarantine
	Quarantine string                `json:"quarantine,omitempty"`
	// Step is how far the wall clock was from the one that all these times are by.
	Step time.Duration `json:"step,omitempty"`
}

// HandOver ends the decisions of a controller that no longer runs, and returns what the next one needs.
func (c *Controller) HandOver() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handed = true
	h := Handover{
		Version: memoryVersion, VIPs: map[string]State{}, Forces: maps.Clone(c.operator.force), Drains: c.operator.drains(),
		Blackholes: maps.Clone(c.operator.holes), Quarantine: c.memory.quarantine(), Step: c.clock.step(),
	}
	if c.memory != nil {
		h.Starts = slices.Clone(c.memory.old.Starts)
	}
	for _, t := range c.vips {
		h.VIPs[t.Name] = t.state
	}
	return json.Marshal(h)
}

// TakeOver goes on from where another process's controller handed over. With a file, what a restart must not forget is kept
// there from now on. It is called before Run, at most once, in place of Remember. The error says what of it can't be used;
// nothing is taken over then.
func (c *Controller) TakeOver(handover []byte, file string) error {
	var h Handover
	if err := json.Unmarshal(handover, &h); err != nil {
		return fmt.Errorf("take over what was decided: %w", err)
	}
	if h.Version != memoryVersion {
		return fmt.Errorf("take over what was decided: version %d, this is %d", h.Version, memoryVersion)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock.behind.Store(int64(h.Step))
	now := c.clock.now()
	if file != "" {
		c.memory = &Memory{path: file, apart: h.Quarantine, old: saved{Running: true, Starts: h.Starts}, wake: make(chan struct{}, 1)}
	}
	c.operator.force, c.operator.holes = orEmpty(h.Forces), orEmpty(h.Blackholes)
	c.operator.resume(h.Drains, c.names(), now)
	for _, t := range c.vips {
		if s, known := h.VIPs[t.Name]; known {
			t.state, t.last, t.history = s, Record{}, nil
		}
	}
	c.round(now)
	return nil
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
