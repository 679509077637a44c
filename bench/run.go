package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/report"
	"github.com/anyedge/anyedge/bench/scenarios"
	"github.com/anyedge/anyedge/bench/target"
)

type runFlags struct {
	shared
	edge, host, origin, path string
	edges                    []string
}

func newRun() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Asks an edge, and the origin without it, and shows the difference",
		Long: `run asks an edge as a scenario says, over H1, H2 and H3, and then the origin directly, over H1 without TLS. It prints a
table, and writes plots and figures for benchstat.

Without --edge it starts one, built from this checkout, with an origin, on loopback. With --edge it asks one that runs
already, whose origin is this command, at --origin, or has something at --path.

Scenarios: ` + strings.Join(scenarios.Names(), ", ") + `, and any file that ends in .yaml.`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().StringVar(&f.edge, "edge", "", "HOST:PORT of an edge that runs already")
	c.Flags().StringVar(&f.host, "host", "", "the host that it is asked for")
	c.Flags().StringVar(&f.origin, "origin", "", "HOST:PORT where this command is its origin, over H1 without TLS")
	c.Flags().StringVar(&f.path, "path", "", "the path of something that it has, in place of the scenario's contents")
	c.Flags().StringArrayVar(&f.edges, "build", nil, "NAME=PROGRAM of anyedge to start; none: this checkout is built")
	f.add(c)
	f.addOut(c, "bench-out")
	return c
}

func (f *runFlags) run(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("name one scenario: %s, or a file that ends in .yaml", strings.Join(scenarios.Names(), ", "))
	}
	scenario, err := scenarios.Load(args[0])
	if err != nil {
		return err
	}
	if err := f.check(scenario); err != nil {
		return err
	}
	j, remove, err := f.job("run", args)
	if err != nil {
		return err
	}
	defer remove()
	j.Address, j.Host, j.Origin, j.Path = f.edge, f.host, f.origin, f.path
	if f.edge != "" {
		return j.do(c)
	}
	c.PrintErrln("Building anyedge.")
	if j.Edges, err = edges(c, j.Dir, f.edges); err != nil {
		return err
	}
	return j.inside(c)
}

// check finds what doesn't go together.
func (f *runFlags) check(s *scenarios.Scenario) error {
	switch {
	case s.ByHand != "" && f.edge == "":
		return usage(`%s needs an edge that runs already, and a hand: %s.
Give it --edge, --host, and --origin or --path.
The lab does it by itself, with two nodes and real routers:  go test -tags lab -count=1 -v -run 'TestSteering$' ./bench/lab`, s.Name, s.ByHand)
	case f.edge == "" && (f.host != "" || f.origin != "" || f.path != ""):
		return usage("--host, --origin and --path are for an edge that runs already: --edge")
	case f.edge != "" && (f.origin == "") == (f.path == ""):
		return usage("--edge goes with one of --origin, where this command is that edge's origin, and --path, something that it has")
	case f.path != "" && len(s.Events) > 0:
		return usage("in %s something happens to the origin, which must be this command then: --origin", s.Name)
	case f.path != "" && s.Content.Range > 0:
		return usage("%s asks for ranges of a content whose length it knows: leave out --path", s.Name)
	}
	return nil
}

// run measures each row, and the origin without the edge, and shows what came of it.
func (s *session) run(out io.Writer) error {
	var runs []report.Run
	var all []*figures
	edge := s.servers[0]
	rows := s.rows
	if s.origin != nil && s.rows[0].scenario.ByHand == "" {
		rows = append(slices.Clone(rows), row{s.rows[0].scenario, load.Plain})
	}
	for _, r := range rows {
		c, name := edge, edge.Name+" "+string(r.protocol)
		if r.protocol == load.Plain {
			c, name = &contestant{Server: &target.Server{Name: "origin", Address: s.origin.Address()}, direct: true}, "origin, direct"
		}
		if r.scenario.ByHand != "" {
			fmt.Fprintf(s.log, "For %v over %s: %s.\n", r.scenario.Duration, r.protocol, r.scenario.ByHand)
		}
		f, err := s.measure(c, r, 1)
		if err != nil {
			return fmt.Errorf("%s over %s: %w", r.scenario.Name, r.protocol, err)
		}
		all, runs = append(all, f), append(runs, report.Run{Name: name, Result: f.result})
	}
	if len(all) == 0 {
		return usage("%s isn't for these protocols", s.job.Scenarios[0])
	}
	scenario := s.rows[0].scenario
	fmt.Fprintf(out, "%s: %s\n\n", scenario.Name, scenario.About)
	if err := s.printRun(out, runs, all); err != nil {
		return err
	}
	if err := printPhases(out, scenario, runs); err != nil {
		return err
	}
	s.printNotes(out, scenario, runs)
	if err := s.confirm(out, edge); err != nil {
		return err
	}
	if s.job.Out == "" {
		return nil
	}
	return s.writeRun(out, scenario, runs, all)
}

func (s *session) printRun(out io.Writer, runs []report.Run, all []*figures) error {
	t := report.Table{Head: []string{"", "requests/s", "per CPU-second", "p50", "p90", "p99", "p99.9", "slowest", "failed", "offload", "memory"}}
	for i, r := range runs {
		f := all[i]
		at := func(q float64) string {
			if r.Result.Latency.TotalCount() == 0 {
				return "–"
			}
			return report.Nanoseconds(float64(r.Result.Latency.ValueAtQuantile(q)))
		}
		t.Add(r.Name, report.Count(f.Rate), report.Count(f.PerCPU), at(50), at(90), at(99), at(99.9), at(100),
			fmt.Sprint(r.Result.Failed()), report.Percent(s.offload(f)), report.Octets(f.Memory))
	}
	return t.Write(out)
}

// offload is the share of requests that took none to the origin: as our origin counts, or as Cache-Status says.
func (s *session) offload(f *figures) float64 {
	if s.origin != nil {
		return 1 - float64(f.Origin)/float64(f.result.Requests)
	}
	all := 0
	for _, n := range f.result.Caches {
		all += n
	}
	return float64(f.result.Caches["hit"]) / float64(all)
}

// printPhases prints what clients saw before, between and after events.
func printPhases(out io.Writer, s *scenarios.Scenario, runs []report.Run) error {
	if len(s.Events) == 0 {
		return nil
	}
	t := report.Table{Head: []string{"", "when", "answers", "p50", "p99", "slowest", "Cache-Status", "failed"}}
	for _, r := range runs {
		when, name := "from the start", r.Name
		for i, p := range r.Result.Phases {
			if i > 0 {
				e := s.Events[i-1]
				when = fmt.Sprintf("%s, %v", strings.ReplaceAll(string(e.Do), "_", " "), e.At)
			}
			at := func(q float64) string {
				if p.Latency.TotalCount() == 0 {
					return "–"
				}
				return report.Nanoseconds(float64(p.Latency.ValueAtQuantile(q)))
			}
			t.Add(name, when, fmt.Sprint(p.Requests-p.Failed()), at(50), at(99), at(100), counts(p.Caches), counts(p.Failures))
			name = ""
		}
	}
	fmt.Fprintln(out)
	return t.Write(out)
}

// counts writes how often each word came, the most frequent first.
func counts(m map[string]int) string {
	words := make([]string, 0, len(m))
	for w := range m {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	for i, w := range words {
		words[i] = fmt.Sprintf("%d %s", m[w], w)
	}
	if len(words) == 0 {
		return "–"
	}
	return strings.Join(words, ", ")
}

func (s *session) printNotes(out io.Writer, scenario *scenarios.Scenario, runs []report.Run) {
	fmt.Fprintln(out)
	if scenario.Rate == 0 {
		fmt.Fprintln(out, "A closed loop: clients ask again when they have an answer. Its latencies show a server that is fully busy, and leave out\nhow long clients would have waited that don't hold back.")
	} else {
		late := 0.0
		for _, r := range runs {
			late = math.Max(late, float64(r.Result.Lateness.ValueAtQuantile(99)))
		}
		fmt.Fprintf(out, "An open loop: %g requests are due each second, and latencies count from then. For 99 %% of them the\nload itself was late by %s at most.\n",
			scenario.Rate, report.Nanoseconds(late))
	}
	for _, r := range runs {
		if r.Result.Failed() > 0 && len(scenario.Events) == 0 {
			fmt.Fprintf(out, "%s: %s failed.\n", r.Name, counts(r.Result.Failures))
		}
		if scenario.Kept == load.Resume && r.Result.Resumed > 0 {
			fmt.Fprintf(out, "%s: %d of %d handshakes resumed a session.\n", r.Name, r.Result.Resumed, r.Result.Opened)
		}
	}
	if s.origin != nil {
		fmt.Fprintln(out, "Offload is the share of requests for which the origin wasn't asked, as it counts.")
	}
}

// writeRun writes plots, and figures for benchstat.
func (s *session) writeRun(out io.Writer, scenario *scenarios.Scenario, runs []report.Run, all []*figures) error {
	if err := os.MkdirAll(s.job.Out, 0o755); err != nil {
		return err
	}
	var marks []report.Mark
	for _, e := range scenario.Events {
		marks = append(marks, report.Mark{At: e.At.Seconds(), Word: strings.ReplaceAll(string(e.Do), "_", " ")})
	}
	charts := map[string]*report.Chart{
		"latency":    report.Latency(scenario.Name+": latency by percentile", runs),
		"throughput": report.Throughput(scenario.Name+": answers", runs, marks),
	}
	edges := slices.DeleteFunc(slices.Clone(runs), func(r report.Run) bool { return len(r.Result.Caches) == 0 })
	if len(edges) > 0 {
		charts["offload"] = report.Hits(scenario.Name+": hits, as Cache-Status says", edges, marks)
	}
	if slices.ContainsFunc(runs, func(r report.Run) bool { return r.Result.Failed() > 0 }) {
		charts["failures"] = report.Failures(scenario.Name+": failures", runs, marks)
	}
	for name, c := range charts {
		if err := writeFile(filepath.Join(s.job.Out, scenario.Name+"-"+name+".svg"), c.Write); err != nil {
			return err
		}
	}
	var list []report.Benchmark
	for i, f := range all {
		list = append(list, benchmark(scenario.Name, runs[i].Name, f))
	}
	figuresFile := filepath.Join(s.job.Out, scenario.Name+".bench")
	if err := writeFile(figuresFile, func(w io.Writer) error { return report.WriteBenchmarks(w, list) }); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nPlots, and figures for benchstat, are in %s: %s-*.svg, %s.bench.\n", s.job.Out, scenario.Name, scenario.Name)
	return nil
}

// benchmark is a run's figures for benchstat.
func benchmark(scenario, server string, f *figures) report.Benchmark {
	return report.Benchmark{
		Name: scenario, Labels: [][2]string{{"server", strings.NewReplacer(", ", "-", " ", "-").Replace(server)}}, Count: f.result.Requests,
		Values: []report.Value{
			{Number: f.PerCPU, Unit: "req/cpu-s"},
			{Number: f.Rate, Unit: "req/s"},
			{Number: f.P50, Unit: "p50-ns"},
			{Number: f.P99, Unit: "p99-ns"},
			{Number: f.Memory, Unit: "peak-B"},
		},
	}
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return f.Close()
}
