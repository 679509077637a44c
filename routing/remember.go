package routing

import (
	"maps"
	"time"
)

// Remember gives the controller what an earlier process left, and has it keep what a later one must know. It is called
// before Run, at most once.
func (c *Controller) Remember(m *Memory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.now()
	c.memory = m
	c.operator.force, c.operator.holes = m.forces(now), m.blackholes(now)
	c.operator.resume(m.drains(), c.names(), now)
	for _, t := range c.vips {
		t.state, t.last, t.history = m.state(t.Name, now), Record{}, nil
	}
	c.round(now)
}

// remember keeps what has changed since it was kept last. c.mu is held.
func (c *Controller) remember(now time.Time) {
	if c.memory == nil {
		return
	}
	s := &saved{
		Saved: now, Running: c.operator.stop == "", VIPs: make(map[string]savedVIP, len(c.vips)),
		Forces: maps.Clone(c.operator.force), Drains: c.operator.drains(), Blackholes: maps.Clone(c.operator.holes),
	}
	for _, t := range c.vips {
		s.VIPs[t.Name] = savedVIP{Level: t.state.Level, Damper: t.state.Damper, Excused: t.state.Excused}
	}
	s.step = c.step
	if s.same(&c.kept) {
		return
	}
	c.kept = *s
	c.memory.put(s.shifted(c.step)) // the next process knows the wall clock alone
}

// same says whether a file with s needn't replace one with o.
func (s *saved) same(o *saved) bool {
	return s.Running == o.Running && maps.Equal(s.VIPs, o.VIPs) && maps.Equal(s.Forces, o.Forces) && maps.Equal(s.Drains, o.Drains) &&
		maps.Equal(s.Blackholes, o.Blackholes) && s.step == o.step
}
