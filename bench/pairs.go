package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/anyedge/anyedge/bench/report"
)

// pair is a row over the old build and the new one, one after the other.
type pair struct{ before, after *figures }

// check measures both builds in pairs, and says which rows got worse.
func (s *session) check(out io.Writer) error {
	if len(s.servers) != 2*instances {
		return fmt.Errorf("%d servers run, not %d of each build", len(s.servers), instances)
	}
	pairs, broken := map[string][]pair{}, map[string][]error{}
	for n := range s.job.Runs {
		for _, r := range s.rows {
			p, err := s.pair(r, n)
			if s.ctx.Err() != nil {
				return s.ctx.Err()
			}
			if err != nil {
				fmt.Fprintf(s.log, "pair %d, %s: %v\n", n+1, r.name(), err)
			}
			if err != nil && p.before != nil { // the new one alone failed
				broken[r.name()] = append(broken[r.name()], err)
			}
			if err == nil {
				pairs[r.name()] = append(pairs[r.name()], p)
			}
		}
	}
	return s.printCheck(out, pairs, broken)
}

// pair measures a row over one process of each build, by turns the old and the new one first.
func (s *session) pair(r row, n int) (p pair, err error) {
	at := n % instances * 2
	before, after := s.servers[at], s.servers[at+1]
	list := []func() error{
		func() (err error) { p.before, err = s.measure(before, r, n+1); return err },
		func() (err error) { p.after, err = s.measure(after, r, n+1); return err },
	}
	first := n / instances % 2
	for _, i := range []int{first, 1 - first} {
		if failed := list[i](); failed != nil {
			err = fmt.Errorf("%s: %w", [...]string{"old", "new"}[i], failed)
		}
	}
	if err == nil {
		fmt.Fprintf(s.log, "pair %d, %s: %s and %s a CPU-second\n", n+1, r.name(), report.Count(p.before.PerCPU), report.Count(p.after.PerCPU))
	}
	return p, err
}

func (s *session) printCheck(out io.Writer, pairs map[string][]pair, broken map[string][]error) error {
	fmt.Fprintf(out, "%d pairs, %v each, %d processes of each build by turns.\n%s\n\n", s.job.Runs, s.job.Window, instances, rule())
	var lost []string
	for _, f := range judged() {
		t := report.Table{Head: []string{f.title, "old", "new", "new to old", "within", ""}}
		for _, r := range s.rows {
			if !f.applies(r) {
				continue
			}
			cells, v := f.row(pairs[r.name()])
			if why := broken[r.name()]; len(why) > 1 { // one may be chance
				v.word = worse
				cells[4] = fmt.Sprintf("%s: %d of %d failed: %v", worse, len(why), s.job.Runs, why[0])
			}
			if v.word == worse {
				lost = append(lost, r.name()+": "+f.title)
			}
			t.Add(append([]string{r.name()}, cells...)...)
		}
		if err := t.WriteAny(out); err != nil {
			return err
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("worse: %s", strings.Join(lost, "; "))
	}
	fmt.Fprintln(out, "Nothing got worse, as far as that tells.")
	return nil
}

// row judges a figure of a row's pairs, and writes its cells.
func (f figure) row(pairs []pair) (cells []string, v verdict) {
	var before, after, ratios report.Sample
	for _, p := range pairs {
		a, b := f.get(p.before), f.get(p.after)
		before, after, ratios = append(before, a), append(after, b), append(ratios, b/a)
	}
	v = f.judge(ratios)
	return []string{
		f.unit(before.Median()), f.unit(after.Median()), ratio(v.ratio), ratio(v.low) + " to " + ratio(v.high), v.word,
	}, v
}
