package governor

import (
	"math"
	"runtime/debug"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		limit int64
		r     Reading
		rate  float64
		want  int
	}{
		{8 << 30, Reading{Live: 5 * mib}, 100 * mib, 1600},
		{8 << 30, Reading{}, 0, 1600},
		{8 << 30, Reading{Live: 20 * mib}, 0, 400},
		{8 << 30, Reading{Live: 20 * mib}, 100 * mib, 400},
		{8 << 30, Reading{Live: 64 * mib}, 0, 100},
		{8 << 30, Reading{Live: 1 << 30}, 100 * mib, 100},
		{8 << 30, Reading{Live: 1 << 30}, 4 * mib, 50},
		{8 << 30, Reading{Live: 1 << 30}, 0, 25},
		{8 << 30, Reading{Live: 200 * mib}, 0, 50},
		{256 * mib, Reading{Live: 10 * mib}, 0, 200}, // 16 MiB are all that there is for it
		{256 * mib, Reading{Live: 10 * mib, Group: 240 * mib}, 0, 100},
		{20 * mib, Reading{Live: 15 * mib}, 0, 100},
	} {
		if got := pace(c.limit, c.r, c.rate); got != c.want {
			t.Errorf("limit %d, %+v, %v: %d, want %d", c.limit, c.r, c.rate, got, c.want)
		}
	}
}

func TestRate(t *testing.T) {
	var r rate
	now := time.Now()
	for _, c := range []struct{ allocated, want float64 }{
		{1000, 0}, // since when isn't known
		{1100, 100},
		{1100, 90},
		{1100, 81},
		{1182, 82},
	} {
		r.note(uint64(c.allocated), now)
		if now = now.Add(time.Second); math.Abs(r.perSecond-c.want) > 0.01 {
			t.Errorf("%v in a second, want %v", r.perSecond, c.want)
		}
	}
}

func TestSetPace(t *testing.T) {
	old := debug.SetGCPercent(100)
	defer debug.SetGCPercent(old)
	now := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	t.Setenv("GOGC", "")
	g := &Governor{percent: usualPace}
	if g.setPace(400); now() != 400 {
		t.Errorf("GOGC is %d", now())
	}
	t.Setenv("GOGC", "200")
	if g.setPace(800); now() != 400 {
		t.Errorf("the operator's GOGC became %d", now())
	}
}
