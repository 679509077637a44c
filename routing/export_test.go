package routing

import "time"

// SetWall has c read the wall clock there. It is called before Run.
func (c *Controller) SetWall(wall func() time.Time) { c.clock.wall = wall }

// SetStart has c begin at another time of day.
func (c *Controller) SetStart(at time.Time) {
	off := time.Until(at)
	c.clock.base, c.clock.wall = c.clock.base.Add(off), func() time.Time { return time.Now().Add(off).Round(0) }
}
