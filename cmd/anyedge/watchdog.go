package main

import (
	"context"
	"time"
)

const (
	// watchInterval is how often the watchdog looks: a freeze shows this late at most.
	watchInterval = 500 * time.Millisecond
	// frozenAfter is how long the control loop may take for a round. It rests half a second between rounds, and a
	// round takes milliseconds, or a second where all processors are busy.
	frozenAfter = 5 * time.Second
)

// watchdog ends a process whose control loop is frozen: it would attract traffic and could never withdraw. Its end
// closes the BGP sessions, so that the routers lead elsewhere at once. The other way round, a data path that is frozen,
// the self checks find, and the control loop withdraws.
type watchdog struct {
	beat  func() time.Time          // when the control loop last ended a round
	alive func()                    // called at each look while it isn't frozen
	abort func(since time.Duration) // called once when it is; doesn't return in a real process
}

// run looks until ctx ends. A process that was stopped as a whole, and goes on, isn't taken for one whose control loop
// is frozen: the look comes late as well then, and the count begins anew.
func (w watchdog) run(ctx context.Context) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	grace := time.Now()
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if time.Since(last) > 2*watchInterval {
			grace = time.Now()
		}
		if since := time.Since(later(w.beat(), grace)); since > frozenAfter {
			w.abort(since)
			return nil
		}
		w.alive()
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
