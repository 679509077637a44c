package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/report"
	"github.com/anyedge/anyedge/bench/scenarios"
)

// repeat is a sample of n ratios, of which some are others.
func repeat(n int, ratio float64, others ...float64) report.Sample {
	s := report.Sample(others)
	for len(s) < n {
		s = append(s, ratio)
	}
	return s
}

func TestJudge(t *testing.T) {
	rate, latency := judged()[0], judged()[1]
	for _, c := range []struct {
		name   string
		figure figure
		ratios report.Sample
		want   string
	}{
		{"all pairs show a loss", rate, repeat(12, 0.95), worse},
		{"one of twelve doesn't, which chance does", rate, repeat(12, 0.95, 1.01), unclear},
		{"one of fifteen doesn't, which chance hardly does", rate, repeat(15, 0.95, 1.01), worse},
		{"a loss that is nobody's concern", rate, repeat(12, 0.98), alike},
		{"a gain", rate, repeat(12, 1.05), better},
		{"equal", rate, repeat(12, 1), alike},
		{"too few pairs", rate, repeat(9, 0.5), unclear},
		{"pairs that differ by more than would count", rate, repeat(12, 1, 0.8, 1.2), unclear},
		{"more latency is a loss", latency, repeat(12, 1.2), worse},
		{"less is a gain", latency, repeat(12, 0.8), better},
		{"somewhat more is nobody's concern", latency, repeat(12, 1.05), alike},
	} {
		if v := c.figure.judge(c.ratios); v.word != c.want {
			t.Errorf("%s: %+v, want %s", c.name, v, c.want)
		}
	}
}

func TestOutside(t *testing.T) {
	for n, want := range map[int]int{9: 0, 10: 1, 12: 1, 13: 1, 14: 2, 20: 3, 30: 7} {
		if got := outside(n); got != want {
			t.Errorf("%d pairs: %d, want %d", n, got, want)
		}
	}
}

// made makes a check's pairs up: what becomes of a figure of the new build is by how much it differs from the old one's.
func made(random *rand.Rand, spread, differs float64) []pair {
	var pairs []pair
	one := func(by float64) *figures {
		noise := 1 + spread*random.NormFloat64()
		return &figures{PerCPU: 50_000 * noise / by, P99: 2e6 / noise * by, Memory: 100 << 20}
	}
	for range 12 {
		pairs = append(pairs, pair{one(1), one(differs)})
	}
	return pairs
}

// A loss of 10 % is found among pairs that vary by 2 %, and builds that are equal hardly ever look unlike.
func TestMadeUpLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	rate := judged()[0]
	found, alarms := 0, 0
	for range 1000 {
		if _, v := rate.row(made(random, 0.02, 1.10)); v.word == worse {
			found++
		}
		if _, v := rate.row(made(random, 0.05, 1)); v.word == worse {
			alarms++
		}
	}
	if found < 900 || alarms > 5 {
		t.Errorf("of 1,000 losses %d are found, of 1,000 equal ones %d are called losses", found, alarms)
	}
}

func TestCheckSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s := &session{job: &job{Runs: 12}, rows: rowsOf([]*scenarios.Scenario{scenario(t, "hit"), scenario(t, "hit-steady")}, []load.Protocol{load.H1})}
	for _, c := range []struct {
		name   string
		hit    []pair
		broken []error
		want   string
	}{
		{"equal", made(random, 0.001, 1), nil, ""},
		{"a loss", made(random, 0.001, 1.2), nil, "worse: hit h1: requests per CPU-second"},
		{"the new one failed once", made(random, 0.001, 1), []error{errors.New("not hits")}, ""},
		{"the new one fails", made(random, 0.001, 1), []error{errors.New("not hits"), errors.New("not hits")}, "worse: hit h1"},
	} {
		var out bytes.Buffer
		pairs := map[string][]pair{"hit h1": c.hit, "hit-steady h1": made(random, 0.001, 1)}
		err := s.printCheck(&out, pairs, map[string][]error{"hit h1": c.broken})
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if !strings.Contains(out.String(), "| hit-steady h1 |") || !strings.Contains(out.String(), "chance does it to one row in 1000") {
			t.Errorf("%s: it doesn't say what was judged, and how:\n%s", c.name, out.String())
		}
	}
}
