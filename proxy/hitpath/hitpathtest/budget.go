package hitpathtest

import (
	"runtime"
	"slices"
	"testing"
)

// Budget fails t where the process allocates more than most times for a call of f: by the median of five times 200 calls, since
// what else runs in it allocates, too.
func Budget(t testing.TB, most float64, f func()) {
	t.Helper()
	var counts []float64
	for range 5 {
		counts = append(counts, mallocs(200, f))
	}
	if slices.Sort(counts); counts[2] > most {
		t.Errorf("a request allocates %v times, want at most %v", counts, most)
	}
}

// mallocs is how often the process allocates for one of n calls of f.
func mallocs(n int, f func()) float64 {
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}
