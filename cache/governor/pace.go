package governor

import (
	"math"
	"os"
	"runtime/debug"
	"time"
)

const (
	// usualPace is GOGC where nobody sets it: what is allocated between two collections, in percent of what is live.
	usualPace = 100
	// calmPace is GOGC where little is allocated. It isn't lower, since what is live would take it back by each collection.
	calmPace = 25
	// calmRate is what may be allocated in a second with calmPace, in bytes: at about half a GB a second, which marking takes,
	// collections are 2 % of one processor then, however much is live.
	calmRate = 2.5 * (1 << 20)
	// calming is the part of a rate that is left after a second without anything: one who asks now and then isn't calm.
	calming = 0.9
	// slack is what may be allocated between two collections at least, in bytes, of the limit no more than slackShare. A
	// node that holds little would collect every few hundred requests, and a collection costs much that doesn't depend on
	// what is live.
	slack      = 64 << 20
	slackShare = 1.0 / 16
	// fastest bounds what a heap that has grown since the reading may allocate.
	fastest = 1600
)

// pace is the GOGC by which slack is allocated between two collections. It is one of a few values: the world stops for a
// change. Where memory is short it is the usual one. rate is what is allocated in a second, in bytes: where that is little,
// collections are rare however near, and what they leave room for is less. Thousands of idle connections are such a case, since
// as much room as they take would be twice as much memory.
func pace(limit int64, r Reading, rate float64) int {
	if float64(r.Live) > growBelow*float64(limit) || float64(r.Group) > shrinkAbove*float64(limit) {
		return usualPace
	}
	want := min(slack, int64(slackShare*float64(limit)))
	percent := calmPace
	for percent < usualPace && rate > calmRate*float64(percent)/calmPace {
		percent *= 2
	}
	for percent < fastest && r.Live*int64(percent)/100 < want {
		percent *= 2
	}
	return percent
}

// rate is what the process allocates in a second, in bytes, as it was lately: it grows at once and falls by and by.
type rate struct {
	perSecond float64
	allocated uint64
	at        time.Time
}

// note takes a reading.
func (r *rate) note(allocated uint64, now time.Time) {
	passed := now.Sub(r.at).Seconds()
	if passed <= 0 {
		return
	}
	if !r.at.IsZero() {
		r.perSecond = max(float64(allocated-r.allocated)/passed, r.perSecond*math.Pow(calming, passed))
	}
	r.allocated, r.at = allocated, now
}

// setPace tells the runtime, unless the operator did.
func (g *Governor) setPace(percent int) {
	if percent == g.percent || os.Getenv("GOGC") != "" {
		return
	}
	g.percent = percent
	debug.SetGCPercent(percent)
}
