package governor

import (
	"os"
	"runtime/debug"
)

const (
	// usualPace is GOGC where nobody sets it: what is allocated between two collections, in percent of what is live.
	usualPace = 100
	// slack is what may be allocated between two collections at least, in bytes, of the limit no more than slackShare. A
	// node that holds little would collect every few hundred requests, and a collection costs much that doesn't depend on
	// what is live.
	slack      = 64 << 20
	slackShare = 1.0 / 16
	// fastest bounds what a heap that has grown since the reading may allocate.
	fastest = 1600
)

// pace is the GOGC by which slack is allocated between two collections. It is one of a few values: the world stops for a
// change. Where memory is short it is the usual one.
func pace(limit int64, r Reading) int {
	if float64(r.Live) > growBelow*float64(limit) || float64(r.Group) > shrinkAbove*float64(limit) {
		return usualPace
	}
	want := min(slack, int64(slackShare*float64(limit)))
	percent := usualPace
	for percent < fastest && r.Live*int64(percent)/100 < want {
		percent *= 2
	}
	return percent
}

// setPace tells the runtime, unless the operator did.
func (g *Governor) setPace(percent int) {
	if percent == g.percent || os.Getenv("GOGC") != "" {
		return
	}
	g.percent = percent
	debug.SetGCPercent(percent)
}
