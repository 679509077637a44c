package rescue_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/rescue"
	"github.com/anyedge/anyedge/routing/steer"
)

// Whatever the time of day, the code, the former timestamp, the age of the echo and the clocks' difference: the code is found.
func TestCookie(t *testing.T) {
	times := []uint32{0, 1, 59_999, 60_000, 1 << 18, 1<<31 - 1, 1 << 31, math.MaxUint32 - 60_000, math.MaxUint32, rescue.Clock(time.Now())}
	befores := []uint32{0, 1, 1<<31 - 1, 1 << 31, 1<<31 + 1, math.MaxUint32}
	for range 2000 {
		times, befores = append(times, rand.Uint32()), append(befores, rand.Uint32())
	}
	for i, now := range times {
		was := befores[i%len(befores)]
		code := uint16(rand.UintN(rescue.Codes))
		if i%5 == 0 {
			code = rescue.Codes - 1
		}
		stamp := rescue.Stamp(code, now, was)
		if stamp&1 != 0 {
			t.Fatalf("now %d, was %d: %d would be in microseconds", now, was, stamp)
		}
		if forward := stamp - was; forward >= 1<<31 {
			t.Fatalf("now %d, was %d: goes back to %d", now, was, stamp)
		}
		for _, late := range []int64{-59_000, -1, 0, 1, 1000, 150_000, 202_000} { // an old echo, or an owner's clock that differs
			if got := rescue.CodeIn(stamp, now+uint32(late)); got != code {
				t.Fatalf("now %d, was %d, %d ms later: code %d, want %d", now, was, late, got, code)
			}
		}
	}
}

// The timestamp goes on from the former by less than half of all, for every former one.
func TestCookiePAWS(t *testing.T) {
	now := rescue.Clock(time.Now())
	for code := range uint16(rescue.Codes) {
		stamp := rescue.Stamp(code, now, 0)
		for _, was := range []uint32{stamp, stamp + 1, stamp - 1, stamp + 1<<31, stamp + 1<<31 + 1, stamp + 1<<31 - 1} {
			next := rescue.Stamp(code, now, was)
			if next-was >= 1<<31 || rescue.CodeIn(next, now) != code {
				t.Fatalf("code %d, was %d: %d", code, was, next)
			}
		}
	}
}

// Codes are spread: of all nodes of a large fleet few share one.
func TestCodes(t *testing.T) {
	seen := map[uint16]int{}
	for metro := range uint16(10) {
		for host := range uint16(10) {
			seen[rescue.CodeOf(steer.NodeID{Metro: metro + 1, Host: host + 1})]++
		}
	}
	if len(seen) < 95 {
		t.Errorf("100 nodes have %d codes", len(seen))
	}
}
