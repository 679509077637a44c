package cache

import (
	"sync/atomic"
	"time"
)

// sweeper frees what purges have killed, behind them: a purge itself only makes it unusable.
type sweeper struct {
	wanted  atomic.Bool // a purge came since the last sweep began
	running atomic.Bool

	// seq is the last purge that a sweep at that time has carried out; the sweep that runs uses them.
	seq uint64
	at  time.Time
}

// sweep begins a sweep, or has the running one followed by another. Close waits for it.
func (c *Cache) sweep() {
	c.sweeper.wanted.Store(true)
	if c.sweeper.running.CompareAndSwap(false, true) && !c.work.start(c.sweepAll) {
		c.sweeper.running.Store(false)
	}
}

func (c *Cache) sweepAll() {
	for c.sweeper.wanted.Swap(false) && !c.work.closed() {
		start := time.Now()
		c.sweepOnce()
		c.sweepPause(sweepRest * time.Since(start))
	}
	c.sweeper.running.Store(false)
	if c.sweeper.wanted.Load() {
		c.sweep()
	}
}

// sweepRest is how much longer than a sweep the pause behind it is, so that many purges in a row don't keep a processor
// busy.
const sweepRest = 9

func (c *Cache) sweepPause(d time.Duration) {
	if !c.sweeper.wanted.Load() {
		return
	}
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-c.work.closing:
	}
}

// forgetAfter is how long purges are remembered beyond the sweep that carried them out: a lookup may have found a response
// just before the sweep took it out, and hold it against them just after.
const forgetAfter = time.Second

// sweepOnce holds everything that is stored against the purges. Those may be forgotten then that no fill in flight is
// older than.
func (c *Cache) sweepOnce() {
	seq := min(c.purges.seq.Load(), c.flights.oldest())
	if c.tier != nil {
		seq = min(seq, c.tier.recalls.oldest())
	}
	var pace pace
	for i := range shards {
		if c.work.closed() {
			return
		}
		pace.begin()
		c.index.eachIn(i, c.sweepSlot)
		pace.end()
	}
	if now := time.Now(); now.Sub(c.sweeper.at) >= forgetAfter {
		c.purges.forget(c.sweeper.seq)
		c.sweeper.seq, c.sweeper.at = seq, now
	}
}

func (c *Cache) sweepSlot(s *slot) {
	dead := func(r *Response) bool { return !c.purges.alive(s.key, r) }
	for _, r := range s.list() {
		if dead(r) {
			c.discard(s.hash, s.key, dead)
			return
		}
	}
}

// restAfter is how long a sweep works before it rests as long.
const restAfter = time.Millisecond

// pace lets a sweep take no more than half a processor from those who serve: nobody waits for it.
type pace struct {
	began  time.Time
	worked time.Duration
}

func (p *pace) begin() { p.began = time.Now() }

func (p *pace) end() {
	if p.worked += time.Since(p.began); p.worked >= restAfter {
		time.Sleep(p.worked)
		p.worked = 0
	}
}
