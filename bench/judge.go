package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/anyedge/anyedge/bench/report"
)

// chance is how likely two equal builds may look unlike in one figure of one row, in each direction.
const chance = 0.001

// fewest is with how many pairs anything can be told: 2 to the power of -10 is less than chance.
const fewest = 10

// figure is what check judges.
type figure struct {
	part
	lower  bool    // less of it is better
	margin float64 // a change of less is nobody's concern
}

// judged are the figures that check judges. Latency is judged at a fixed rate alone: in a closed loop it is one of a server
// that is fully busy, and says the same as the first.
func judged() []figure {
	return []figure{
		{part{"requests per CPU-second", perCPU, report.Count, always}, false, 0.03},
		judgeP99(),
		{part{"peak memory", memory, report.Octets, always}, true, 0.10},
	}
}

func judgeP99() figure { return figure{part{"p99", p99, report.Nanoseconds, steady}, true, 0.10} }

// rule says how check judges.
func rule() string {
	text := "Judged is the median of the pairs' ratios. A row is worse where it shows a loss of more than\n"
	for i, f := range judged() {
		text += fmt.Sprintf("%s%.0f %% of %s", [...]string{"", ", ", " or "}[i], f.margin*100, f.title)
	}
	return text + fmt.Sprintf(` (latency at a fixed rate alone),
and where so many pairs agree that chance does it to one row in %.0f. Where pairs differ by more than that, nothing is
told: more --runs tell more.`, 1/chance)
}

// verdict is what pairs say of one figure of one row.
type verdict struct {
	word      string
	ratio     float64 // the median of the new to the old one
	low, high float64 // between which it is, but by chance
}

// The words of verdicts.
const (
	worse   = "worse"
	better  = "better"
	alike   = "no loss"
	unclear = "not told: the pairs differ too much"
)

// judge judges the ratios of pairs, of the new to the old one.
func (f figure) judge(ratios report.Sample) verdict {
	n := len(ratios)
	if n < fewest {
		return verdict{unclear, ratios.Median(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(ratios))
	r := outside(n)
	v := verdict{unclear, ratios.Median(), sorted[r-1], sorted[n-r]}
	gain, least, most := v.ratio, v.low, v.high
	if f.lower {
		gain, least, most = 1/v.ratio, 1/v.high, 1/v.low
	}
	switch {
	case most < 1 && gain < 1-f.margin:
		v.word = worse
	case least > 1 && gain > 1+f.margin:
		v.word = better
	case least > 1-f.margin:
		v.word = alike
	}
	return v
}

// outside is the rank, from either end, of the pair that the median of all is beyond by chance alone: by the binomial
// distribution, as in a sign test.
func outside(n int) (rank int) {
	p := math.Pow(0.5, float64(n)) // that none of n is on one side
	sum := 0.0
	for rank = 0; ; rank++ {
		if sum += p; sum > chance {
			return rank
		}
		p *= float64(n-rank) / float64(rank+1)
	}
}
