package health

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// The windows are pure and unseen from outside, so they are tested from inside.

const span = 10 * time.Second

func TestWindowSlides(t *testing.T) {
	var w window[outcomes]
	for _, step := range []struct {
		at     time.Duration
		failed int // reported at that time
		want   int // in the window after that
	}{
		{0, 1, 1},
		{0, 1, 2},
		{999 * time.Millisecond, 1, 3},
		{5 * time.Second, 10, 13},
		{9999 * time.Millisecond, 0, 13},
		{10 * time.Second, 0, 10}, // the first second's bucket is out
		{14999 * time.Millisecond, 0, 10},
		{15 * time.Second, 100, 100},
		{24999 * time.Millisecond, 0, 100},
		{25 * time.Second, 0, 0},
		{24 * time.Hour, 7, 7}, // after a long silence
		{24*time.Hour - 3*time.Second, 1, 8},
		{24*time.Hour - time.Hour, 1, 9}, // very late: it joins whatever bucket is there
	} {
		if step.failed > 0 {
			w.at(step.at, span).failed += step.failed
		}
		if got := total(w.recent(step.at, span)).failed; got != step.want {
			t.Errorf("at %s: %d failed, want %d", step.at, got, step.want)
		}
	}
}

// TestWindowAgainstTimes compares the window with a list of times: what is younger than its span less a bucket is in it,
// what is older than its span isn't.
func TestWindowAgainstTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var w window[outcomes]
	var times []time.Duration
	now := time.Duration(0)
	for range 5000 {
		now += time.Duration(r.Int64N(int64(500 * time.Millisecond)))
		w.at(now, span).ok++
		times = append(times, now)
		least, most := 0, 0
		for _, at := range times {
			if now-at < span-span/bucketCount {
				least++
			}
			if now-at < span {
				most++
			}
		}
		if got := total(w.recent(now, span)).ok; got < least || got > most {
			t.Fatalf("at %s the window has %d, want %d to %d", now, got, least, most)
		}
	}
}

func TestAnotherSpanEmptiesTheWindow(t *testing.T) {
	var w window[outcomes]
	w.at(-time.Second, span).ok = 1 // a clock before the start is the start
	w.at(time.Second, span).ok = 5
	if got := total(w.recent(time.Second, span)); got.ok != 6 {
		t.Errorf("%+v", got)
	}
	if got := total(w.recent(time.Second, time.Minute)); got.ok != 0 {
		t.Errorf("%+v", got)
	}
}

func TestHistogramCells(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 10*time.Minute; d += max(d/50, time.Microsecond) {
		c := cellOf(d)
		if c < last || c >= cellCount {
			t.Fatalf("%s is in cell %d after cell %d", d, c, last)
		}
		last = c
		start, end := cellStart(c), cellStart(c+1)
		if d < start || d >= end && c < cellCount-1 {
			t.Fatalf("%s is in cell %d from %s to %s", d, c, start, end)
		}
		if width := end - start; width > time.Microsecond && width*8 > start {
			t.Fatalf("the cell from %s to %s is wider than an eighth", start, end)
		}
	}
	if cellOf(-time.Second) != 0 || cellOf(1<<62) != cellCount-1 {
		t.Error("out of range")
	}
}

func TestQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, q := range []float64{.01, .5, .9, .99} {
		var h histogram
		var exact []time.Duration
		for range 1 + r.IntN(2000) {
			d := time.Duration(r.ExpFloat64() * float64(200*time.Millisecond))
			h.add(d)
			exact = append(exact, d)
		}
		slices.Sort(exact)
		want := exact[int(q*float64(len(exact)-1))].Seconds()
		got, n := quantile(slices.Values([]*histogram{&h, {}}), q)
		if n != len(exact) || got.Seconds() < .8*want || got.Seconds() > 1.25*want+1e-5 {
			t.Errorf("p%g of %d is %s, want about %.3fs", 100*q, n, got, want)
		}
	}
	if d, n := quantile(slices.Values([]*histogram{{}}), .9); d != 0 || n != 0 {
		t.Errorf("of nothing: %s, %d", d, n)
	}
}

func TestCounter(t *testing.T) {
	var c counter
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 10_000 {
				c.add(time.Duration(i) * time.Millisecond) // 0 to 10 s
			}
		})
	}
	all.Wait()
	// The writers may pass each other by less than the window, so nothing is lost.
	for _, step := range []struct {
		at   time.Duration
		want uint64
	}{{9 * time.Second, 40_000}, {10 * time.Second, 36_000}, {18 * time.Second, 4_000}, {19 * time.Second, 0}} {
		if got := c.sum(step.at); got != step.want {
			t.Errorf("at %s: %d, want %d", step.at, got, step.want)
		}
	}
	for range 4 { // all in one slot
		all.Go(func() {
			for range 1_000_000 {
				c.add(time.Minute)
			}
		})
	}
	all.Wait()
	if got := c.sum(time.Minute); got != 4_000_000 {
		t.Errorf("%d of 4000000 are left", got)
	}
	c.add(time.Hour)
	c.add(-time.Second)
	if got := c.sum(time.Hour); got != 1 && got != 2 {
		t.Errorf("after an hour: %d", got)
	}
}

func TestGradeHasHysteresis(t *testing.T) {
	ratio := RatioThreshold{Warn: .02, Crit: .2}.bounds()
	latency := LatencyThreshold{Warn: 500 * time.Millisecond, Crit: 2 * time.Second}.bounds()
	share := ShareThreshold{Warn: .34, Crit: 1}.bounds()
	for _, c := range []struct {
		bounds bounds
		was    Grade
		value  float64
		want   Grade
	}{
		{ratio, Unknown, 0, OK},
		{ratio, OK, .0199, OK},
		{ratio, OK, .02, Warn},
		{ratio, Warn, .0199, Warn},
		{ratio, Warn, .01, Warn},
		{ratio, Warn, .0099, OK},
		{ratio, Unknown, .015, OK},
		{ratio, Warn, .1999, Warn},
		{ratio, OK, .2, Crit},
		{ratio, Crit, .1, Crit},
		{ratio, Crit, .0999, Warn},
		{ratio, Crit, .015, Warn},
		{ratio, Crit, .0099, OK},
		{latency, OK, .499, OK},
		{latency, OK, 2, Crit},
		{latency, Crit, 1.5, Crit},
		{latency, Crit, 1.49, Warn},
		{latency, Warn, .376, Warn},
		{latency, Warn, .374, OK},
		{share, OK, .33, OK},
		{share, OK, .5, Warn},
		{share, OK, 1, Crit},
		{share, Crit, .99, Warn},
		{share, Warn, .33, OK},
	} {
		if got := c.bounds.grade(c.was, c.value); got != c.want {
			t.Errorf("%+v: %s at %g becomes %s, want %s", c.bounds, c.was, c.value, got, c.want)
		}
	}
}

func TestEnoughSamples(t *testing.T) {
	for _, c := range []struct {
		was     Grade
		samples int
		want    bool
	}{
		{Unknown, 49, false}, {Unknown, 50, true}, {OK, 25, true}, {Crit, 25, true}, {Crit, 24, false}, {OK, 0, false},
	} {
		if got := enough(c.was, c.samples, 50); got != c.want {
			t.Errorf("%s with %d samples: %t", c.was, c.samples, got)
		}
	}
	if enough(OK, 0, 1) || !enough(Unknown, 1, 1) {
		t.Error("with a minimum of one")
	}
}
