package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// checked are the scenarios of a check that names none.
var checked = []string{"hit", "hit-100k", "handshake", "miss", "hit-steady"}

// instances is how many processes of each build take turns: one may be luckier than another with its memory.
const instances = 3

type checkFlags struct {
	shared
	scenarios []string
	builds    []string
}

func newCheck() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check OLD [NEW]",
		Short: "Says what got worse between two commits",
		Long: fmt.Sprintf(`check builds anyedge of two commits, and measures both in one run, in pairs: one after the other, now this one first and
now that. NEW is this checkout, as it is, unless a commit is named; --edge names programs instead.

%s
Where something is worse, the exit code is 1.`, rule()),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().StringSliceVar(&f.scenarios, "scenarios", checked, "what is measured")
	c.Flags().StringArrayVar(&f.builds, "edge", nil, "NAME=PROGRAM of anyedge, twice, the old one first: instead of commits")
	f.add(c)
	f.addRuns(c, 30, 200*time.Millisecond)
	return c
}

func (f *checkFlags) run(c *cobra.Command, args []string) error {
	switch {
	case len(f.builds) == 2 && len(args) == 0:
	case len(f.builds) > 0:
		return usage("name two programs, and no commits")
	case len(args) < 1 || len(args) > 2:
		return usage("name the commit to compare with, and, unless it is this checkout, the one that is compared")
	}
	if f.runs < fewest {
		return usage("--runs must be at least %d: with fewer, chance looks like a loss", fewest)
	}
	if err := known(f.scenarios); err != nil {
		return err
	}
	j, remove, err := f.job("check", f.scenarios)
	if err != nil {
		return err
	}
	defer remove()
	both, err := f.both(c, j.Dir, args)
	if err != nil {
		return err
	}
	for range instances {
		j.Edges = append(j.Edges, both...)
	}
	return j.inside(c)
}

// both are the old and the new build.
func (f *checkFlags) both(c *cobra.Command, dir string, commits []string) (both []build, err error) {
	if len(f.builds) > 0 {
		return edges(c, dir, f.builds)
	}
	for i, commit := range append(commits, "")[:2] {
		b, err := buildCommit(c, dir, [...]string{"old", "new"}[i], commit)
		if err != nil {
			return nil, err
		}
		both = append(both, b)
	}
	return both, nil
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
