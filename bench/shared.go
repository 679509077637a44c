package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/bench/target"
)

// shared are the flags that several commands have.
type shared struct {
	protocols []string
	runs      int
	window    time.Duration
	out       string
	confirm   bool
}

// add adds those that all have.
func (f *shared) add(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.protocols, "protocols", nil, "only these of h1, h2, h3")
}

// addRuns adds how often is measured, and how long.
func (f *shared) addRuns(c *cobra.Command, runs int, window time.Duration) {
	c.Flags().IntVar(&f.runs, "runs", runs, "how often each row is measured")
	c.Flags().DurationVar(&f.window, "window", window, "how long each time")
}

// addOut adds what is written, and who else measures.
func (f *shared) addOut(c *cobra.Command, out string) {
	c.Flags().StringVar(&f.out, "out", out, "a directory for plots, and the figures of each run for benchstat; empty: none are written")
	c.Flags().BoolVar(&f.confirm, "confirm", false, "measure hits with h2load, wrk and ngtcp2's gtlsclient too, where they are installed")
}

// job begins one, without what is to be built. remove removes what it leaves.
func (f *shared) job(kind string, scenarios []string) (j *job, remove func(), err error) {
	j = &job{Kind: kind, Scenarios: scenarios, Runs: max(f.runs, 1), Window: f.window, Confirm: f.confirm, Cores: target.Pin()}
	if j.Protocols, err = protocols(f.protocols); err != nil {
		return nil, nil, err
	}
	if f.out != "" {
		if j.Out, err = filepath.Abs(f.out); err != nil {
			return nil, nil, err
		}
	}
	j.Dir, remove, err = work()
	return j, remove, err
}
