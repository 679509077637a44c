package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/report"
	"github.com/anyedge/anyedge/bench/scenarios"
	"github.com/anyedge/anyedge/bench/target"
)

// compared are the scenarios of a comparison that names none.
var compared = []string{"hit", "hit-100k", "large", "handshake", "resumption", "miss"}

type compareFlags struct {
	shared
	edges []string
	peers []string
	caddy bool
	h2    bool
}

func newCompare() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use:   "compare [SCENARIO...]",
		Short: "Measures anyedge and its peers, one after the other, in one run",
		Long: `compare runs the same scenarios against anyedge and its peers, interleaved, each on the same core, and prints
requests for each second of the server's processor time, with all its processes, latency, and memory.

Peers come from Debian:  apt-get install ` + strings.Join(target.Packages(), " ") + `
Those that aren't installed are left out. Caddy, with its cache handler, is built from Go's module proxy: --caddy.`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().StringArrayVar(&f.edges, "edge", nil, "NAME=PROGRAM of anyedge, again for each; none: this checkout is built")
	c.Flags().StringSliceVar(&f.peers, "peers", nil, "only these; none: all that are installed")
	c.Flags().BoolVar(&f.caddy, "caddy", false, "build Caddy with its cache handler, too, unless that has been done before")
	c.Flags().BoolVar(&f.h2, "origin-h2", false, "anyedge and HAProxy ask the origin over H2")
	f.add(c)
	f.addRuns(c, 3, 2*time.Second)
	f.addOut(c, "")
	return c
}

func (f *compareFlags) run(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		args = compared
	}
	if err := known(args); err != nil {
		return err
	}
	j, remove, err := f.job("compare", args)
	if err != nil {
		return err
	}
	defer remove()
	j.OriginH2 = f.h2
	if j.Edges, err = edges(c, j.Dir, f.edges); err != nil {
		return err
	}
	if f.caddy {
		if j.Caddy, err = buildCaddy(c); err != nil {
			c.PrintErrf("caddy is left out: %v\n", err)
		}
	}
	if err := j.choosePeers(c, f.peers); err != nil {
		return err
	}
	return j.inside(c)
}

// known finds mistakes in scenarios before anything is built for them.
func known(names []string) error {
	for _, n := range names {
		s, err := scenarios.Load(n)
		if err != nil {
			return err
		}
		if s.ByHand != "" || len(s.Events) > 0 {
			return usage("%s is for run: things happen in it whose cost isn't a server's alone", n)
		}
	}
	return nil
}

// buildCaddy builds it where the user's caches are.
func buildCaddy(c *cobra.Command) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	c.PrintErrln("Building Caddy, unless it is there.")
	return target.BuildCaddy(c.Context(), filepath.Join(dir, "anyedge-bench"))
}

// protocols reads the names of protocols.
func protocols(names []string) ([]load.Protocol, error) {
	var list []load.Protocol
	for _, n := range names {
		p := load.Protocol(n)
		if p != load.H1 && p != load.H2 && p != load.H3 {
			return nil, usage("%s is not h1, h2 or h3", n)
		}
		list = append(list, p)
	}
	return list, nil
}

// choosePeers finds out which peers there are, and says which aren't.
func (j *job) choosePeers(c *cobra.Command, names []string) error {
	known := map[string]bool{}
	for _, p := range target.Peers(j.Caddy) {
		known[p.Name] = true
		if len(names) > 0 && !slices.Contains(names, p.Name) {
			continue
		}
		if why := p.Missing(); why != "" {
			c.PrintErrf("%s is left out: %s\n", p.Name, why)
			continue
		}
		j.Peers = append(j.Peers, p.Name)
	}
	if len(j.Peers) == 0 {
		c.PrintErrln("No peer is there: anyedge is measured alone.")
	}
	for _, n := range names {
		if !known[n] {
			return usage("there is no peer %s", n)
		}
	}
	return nil
}

func (j *job) wants(p *target.Peer) bool { return slices.Contains(j.Peers, p.Name) }

// results are the figures of all runs, by row and server.
type results map[string][]*figures

func key(r row, c *contestant) string { return r.name() + " " + c.Name }

// measureAll measures each row over each server, as often as the job says, interleaved, and forth and back.
func (s *session) measureAll() (results, map[string]string, error) {
	all, missing := results{}, map[string]string{}
	for n := range s.job.Runs {
		for _, r := range s.rows {
			for i := range s.servers {
				if n%2 == 1 {
					i = len(s.servers) - 1 - i
				}
				c := s.servers[i]
				if why := c.applies(r); why != "" {
					missing[key(r, c)] = why
					continue
				}
				f, err := s.measure(c, r, n+1)
				if s.ctx.Err() != nil {
					return nil, nil, s.ctx.Err()
				}
				if err != nil {
					fmt.Fprintf(s.log, "run %d, %s of %s: %v\n", n+1, r.name(), c.Name, err)
					missing[key(r, c)] = "failed"
					continue
				}
				fmt.Fprintf(s.log, "run %d, %s of %s: %s a CPU-second, %s/s, p99 %s\n", n+1, r.name(), c.Name,
					report.Count(f.PerCPU), report.Count(f.Rate), report.Nanoseconds(f.P99))
				all[key(r, c)] = append(all[key(r, c)], f)
			}
		}
	}
	return all, missing, nil
}

// of is one figure of a row over a server, from all runs.
func (all results) of(r row, c *contestant, get func(*figures) float64) report.Sample {
	var s report.Sample
	for _, f := range all[key(r, c)] {
		s = append(s, get(f))
	}
	return s
}

// pairs are a row's figures over one server and another one, of the runs in which both have some.
func (all results) pairs(r row, a, b *contestant) (pairs []pair) {
	for _, x := range all[key(r, a)] {
		for _, y := range all[key(r, b)] {
			if x.Run == y.Run {
				pairs = append(pairs, pair{x, y})
			}
		}
	}
	return pairs
}

// part is a figure that has a table.
type part struct {
	title   string
	get     func(*figures) float64
	unit    func(float64) string
	applies func(row) bool // the rows that it says something of
}

func always(row) bool { return true }

// steady tells a row whose requests are due at fixed times.
func steady(r row) bool { return r.scenario.Rate > 0 }

func perCPU(f *figures) float64 { return f.PerCPU }
func p99(f *figures) float64    { return f.P99 }
func memory(f *figures) float64 { return f.Memory }

// parts are the figures that have one.
func parts() []part {
	return []part{
		{"requests per CPU-second", perCPU, report.Count, always},
		{"p50", func(f *figures) float64 { return f.P50 }, report.Nanoseconds, always},
		{"p99", p99, report.Nanoseconds, always},
		{"how late the load was, p99", func(f *figures) float64 { return f.Late }, report.Nanoseconds, steady},
		{"requests a second", func(f *figures) float64 { return f.Rate }, report.Count, always},
		{"peak memory", memory, report.Octets, always},
	}
}

func (s *session) compare(out io.Writer) error {
	all, missing, err := s.measureAll()
	if err != nil {
		return err
	}
	s.printMethod(out)
	if err := s.printTables(out, all, missing); err != nil {
		return err
	}
	if err := s.printRatios(out, all); err != nil {
		return err
	}
	for _, c := range s.servers {
		if err := s.confirm(out, c); err != nil {
			return err
		}
	}
	return s.writeCompared(all)
}

func (s *session) printTables(out io.Writer, all results, missing map[string]string) error {
	for _, part := range parts() {
		t := report.Table{Head: []string{part.title}}
		for _, c := range s.servers {
			t.Head = append(t.Head, c.Name)
		}
		for _, r := range s.rows {
			if !part.applies(r) {
				continue
			}
			cells := []string{r.name()}
			for _, c := range s.servers {
				cells = append(cells, cell(all.of(r, c, part.get), part.unit, missing[key(r, c)]))
			}
			t.Add(cells...)
		}
		if err := t.WriteAny(out); err != nil {
			return err
		}
	}
	return nil
}

// cell is a sample, with why some of it is missing.
func cell(s report.Sample, unit func(float64) string, missing string) string {
	switch {
	case missing == "":
		return s.Format(unit)
	case len(s) == 0:
		return missing
	}
	return s.Format(unit) + ", " + missing
}

// writeCompared writes the figures of every run for benchstat, and a plot of latencies for each row, of the run whose p99
// is in the middle.
func (s *session) writeCompared(all results) error {
	if s.job.Out == "" {
		return nil
	}
	if err := os.MkdirAll(s.job.Out, 0o755); err != nil {
		return err
	}
	for _, r := range s.rows {
		var runs []report.Run
		for _, c := range s.servers {
			list := slices.Clone(all[key(r, c)])
			slices.SortFunc(list, func(a, b *figures) int { return cmp.Compare(a.P99, b.P99) })
			if len(list) > 0 {
				runs = append(runs, report.Run{Name: c.Name, Result: list[len(list)/2].result})
			}
		}
		chart := report.Latency(r.name()+": latency by percentile", runs)
		if err := writeFile(filepath.Join(s.job.Out, strings.ReplaceAll(r.name(), " ", "-")+"-latency.svg"), chart.Write); err != nil {
			return err
		}
	}
	var list []report.Benchmark
	for _, r := range s.rows {
		for _, c := range s.servers {
			for _, f := range all[key(r, c)] {
				list = append(list, benchmark(r.name(), c.Name, f))
			}
		}
	}
	return writeFile(filepath.Join(s.job.Out, "compare.bench"), func(w io.Writer) error { return report.WriteBenchmarks(w, list) })
}

// printRatios prints how the first server stands to each of the others.
func (s *session) printRatios(out io.Writer, all results) error {
	if len(s.servers) < 2 {
		return nil
	}
	first := s.servers[0]
	cost, latency := report.Table{Head: []string{first.Name + " to"}}, report.Table{Head: []string{"p99, " + first.Name + " to"}}
	for _, c := range s.servers[1:] {
		cost.Head, latency.Head = append(cost.Head, c.Name), append(latency.Head, c.Name)
	}
	for _, r := range s.rows {
		costs, latencies := []string{r.name()}, []string{r.name()}
		for _, c := range s.servers[1:] {
			costs = append(costs, ratio(all.of(r, first, perCPU).Median()/all.of(r, c, perCPU).Median()))
			latencies = append(latencies, judgeLatency(all.pairs(r, c, first)))
		}
		cost.Add(costs...)
		if steady(r) {
			latency.Add(latencies...)
		}
	}
	if err := cost.WriteAny(out); err != nil {
		return err
	}
	return latency.WriteAny(out)
}

// judgeLatency is the median of the ratios of both p99 in each run, and, with enough runs, between which it is but by chance.
func judgeLatency(pairs []pair) string {
	_, v := judgeP99().row(pairs)
	if math.IsNaN(v.low) {
		return ratio(v.ratio)
	}
	return fmt.Sprintf("%s (%s to %s)", ratio(v.ratio), ratio(v.low), ratio(v.high))
}

func ratio(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.2f×", v)
}

func (s *session) printMethod(out io.Writer) {
	fmt.Fprintf(out, "%d interleaved runs, %v each; medians, with the lowest and the highest.\n\n", s.job.Runs, s.job.Window)
	for _, p := range target.Peers(s.job.Caddy) {
		if s.job.wants(p) {
			fmt.Fprintf(out, "- %s %s: %s\n", p.Name, p.Version(), p.About)
		}
	}
	fmt.Fprintln(out)
}
