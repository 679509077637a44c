package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/bench/report"
	"github.com/anyedge/anyedge/bench/target"
)

// checked are the scenarios of a check that names none.
var checked = []string{"hit", "hit-100k", "handshake", "miss"}

type checkFlags struct {
	scenarios []string
	protocols []string
	runs      int
	window    time.Duration
}

func newCheck() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check OLD [NEW]",
		Short: "Says what got worse between two commits",
		Long: `check builds anyedge of two commits, and measures both, interleaved, in one run. NEW is this checkout, as it is, unless a
commit is named. A row is worse when every run of the new one is below every run of the old one, and the median by at least
3 %: then the exit code is 1.`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().StringSliceVar(&f.scenarios, "scenarios", checked, "what is measured")
	c.Flags().StringSliceVar(&f.protocols, "protocols", nil, "only these of h1, h2, h3")
	c.Flags().IntVar(&f.runs, "runs", 5, "how often each row is measured; with fewer than 4, chance looks like a loss")
	c.Flags().DurationVar(&f.window, "window", time.Second, "how long each time")
	return c
}

func (f *checkFlags) run(c *cobra.Command, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return usage("name the commit to compare with, and, unless it is this checkout, the one that is compared")
	}
	if err := known(f.scenarios); err != nil {
		return err
	}
	dir, remove, err := work()
	if err != nil {
		return err
	}
	defer remove()
	j := &job{Kind: "check", Dir: dir, Scenarios: f.scenarios, Runs: max(f.runs, 1), Window: f.window, Cores: target.Pin()}
	if j.Protocols, err = protocols(f.protocols); err != nil {
		return err
	}
	for i, commit := range append(args, "")[:2] {
		b, err := buildCommit(c, dir, [...]string{"old", "new"}[i], commit)
		if err != nil {
			return err
		}
		j.Edges = append(j.Edges, b)
	}
	return j.inside(c)
}

// buildCommit builds anyedge of a commit, or of this checkout where none is named.
func buildCommit(c *cobra.Command, dir, name, commit string) (build, error) {
	b := build{name, filepath.Join(dir, name)}
	if commit == "" {
		c.PrintErrln("Building this checkout.")
		return b, buildEdge(c, ".", b.Binary)
	}
	c.PrintErrf("Building %s.\n", commit)
	checkout := filepath.Join(dir, name+"-checkout")
	if err := os.Mkdir(checkout, 0o755); err != nil {
		return b, err
	}
	defer os.RemoveAll(checkout)
	top, err := exec.CommandContext(c.Context(), "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return b, fmt.Errorf("find the repository: %w", err)
	}
	archive := exec.CommandContext(c.Context(), "git", "-C", strings.TrimSpace(string(top)), "archive", "--format=tar", commit)
	unpack := exec.CommandContext(c.Context(), "tar", "-x", "-C", checkout)
	if unpack.Stdin, err = archive.StdoutPipe(); err != nil {
		return b, err
	}
	var said strings.Builder
	archive.Stderr = &said
	if err := unpack.Start(); err != nil {
		return b, fmt.Errorf("unpack %s: %w", commit, err)
	}
	if err := archive.Run(); err != nil {
		_ = unpack.Wait()
		return b, fmt.Errorf("read commit %s: %w: %s", commit, err, said.String())
	}
	if err := unpack.Wait(); err != nil {
		return b, fmt.Errorf("unpack %s: %w", commit, err)
	}
	return b, buildEdge(c, checkout, b.Binary)
}

// worst is how much a median must fall to be a loss: less is nobody's concern.
const worst = 0.97

// worse says whether every run of the new one is below every run of the old one, and by enough.
func worse(before, after report.Sample) bool {
	return after.High() < before.Low() && after.Median() < before.Median()*worst
}

// check measures both builds and says which rows got worse.
func (s *session) check(out io.Writer) error {
	all, missing, err := s.measureAll()
	if err != nil {
		return err
	}
	if len(s.servers) != 2 {
		return fmt.Errorf("%d servers run, not the old and the new", len(s.servers))
	}
	before, after := s.servers[0], s.servers[1]
	t := report.Table{Head: []string{"requests per CPU-second", "old", "new", "new to old", ""}}
	var lost []string
	for _, r := range s.rows {
		a, b := all.of(r, before, perCPU), all.of(r, after, perCPU)
		word := ""
		switch {
		case len(a) > len(b):
			word = "worse: " + missing[key(r, after)]
		case worse(a, b):
			word = "worse"
		case worse(b, a):
			word = "better"
		}
		if strings.HasPrefix(word, "worse") {
			lost = append(lost, r.name())
		}
		t.Add(r.name(), a.Format(report.Count), b.Format(report.Count), ratio(b.Median()/a.Median()), word)
	}
	s.printMethod(out)
	if err := t.Write(out); err != nil {
		return err
	}
	if len(lost) > 0 {
		return fmt.Errorf("worse by more than the spread of %d runs: %s", s.job.Runs, strings.Join(lost, ", "))
	}
	fmt.Fprintln(out, "\nNothing got worse by more than the spread.")
	return nil
}
