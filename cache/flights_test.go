package cache

import (
	"math"
	"testing"
)

// TestUndecidedFollowersKeepPurges: a fill that is over still counts as long as a request that joined it hasn't held it
// against the purges since.
func TestUndecidedFollowersKeepPurges(t *testing.T) {
	flights := newFlights()
	fits := func(*fill) bool { return true }
	begin := func() *fill { return &fill{target: target{key: "k", born: 7}, c: new(Cache)} }
	f, _, leads := flights.join("k", fits, begin)
	if _, _, again := flights.join("k", fits, begin); !leads || again {
		t.Fatal("nobody follows")
	}
	flights.remove(f)
	if got := flights.oldest(); got != 7 {
		t.Errorf("the oldest fill began at %d", got)
	}
	flights.decided(f)
	if got := flights.oldest(); got != math.MaxUint64 || flights.count() != 0 {
		t.Errorf("the oldest of %d fills began at %d", flights.count(), got)
	}
}
