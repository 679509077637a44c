package governor

import (
	"runtime/debug"
	"testing"
)

func TestPace(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		limit int64
		r     Reading
		want  int
	}{
		{8 << 30, Reading{Live: 5 * mib}, 1600},
		{8 << 30, Reading{}, 1600},
		{8 << 30, Reading{Live: 20 * mib}, 400},
		{8 << 30, Reading{Live: 64 * mib}, 100},
		{8 << 30, Reading{Live: 1 << 30}, 100},
		{256 * mib, Reading{Live: 10 * mib}, 200}, // 16 MiB are all that there is for it
		{256 * mib, Reading{Live: 10 * mib, Group: 240 * mib}, 100},
		{20 * mib, Reading{Live: 15 * mib}, 100},
	} {
		if got := pace(c.limit, c.r); got != c.want {
			t.Errorf("limit %d, %+v: %d, want %d", c.limit, c.r, got, c.want)
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
