package health

import (
	"iter"
	"math/bits"
	"time"
)

// A histogram's cells grow with the value: eight per doubling, so that a quantile is off by at most an eighth, in
// bounded memory whatever is measured. The first eight cells are 1 µs each; the last takes everything above 2 minutes.
const (
	cellBits     = 3
	cellsPerStep = 1 << cellBits
	maxValueBits = 27 // 2²⁷ µs = 134 s: beyond any sensible timeout
	cellCount    = (maxValueBits - cellBits + 1) * cellsPerStep
)

// histogram counts durations by cell.
type histogram [cellCount]uint32

func (h *histogram) add(d time.Duration) { h[cellOf(d)]++ }

// cellOf is the cell that counts d.
func cellOf(d time.Duration) int {
	v := uint64(max(d, 0) / time.Microsecond)
	step := max(bits.Len64(v)-cellBits-1, 0)
	return min(step*cellsPerStep+int(v>>step), cellCount-1)
}

// cellStart is the least duration that cell i counts.
func cellStart(i int) time.Duration {
	step := max(i/cellsPerStep-1, 0)
	return time.Duration((i-step*cellsPerStep)<<step) * time.Microsecond
}

// quantile returns how many durations buckets hold, and the one below which the share q of them lies, interpolated
// within its cell. Without any it is 0.
func quantile(buckets iter.Seq[*histogram], q float64) (time.Duration, int) {
	var sum [cellCount]int
	n := 0
	for b := range buckets {
		for i, c := range b {
			sum[i] += int(c)
			n += int(c)
		}
	}
	rank := q * float64(n)
	for i, c := range sum {
		if c > 0 && rank <= float64(c) {
			start := cellStart(i)
			return start + time.Duration(rank/float64(c)*float64(cellStart(i+1)-start)), n
		}
		rank -= float64(c)
	}
	return 0, n
}
