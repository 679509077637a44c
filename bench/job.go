package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/target"
)

// job is what the process that measures gets to do. Everything is built by then: it has no way to the internet.
type job struct {
	Kind      string // compare, check or run
	Dir       string // for what servers write; in memory
	Out       string // a directory for plots and figures; empty: none
	Scenarios []string
	Protocols []load.Protocol // none: all of a scenario's
	Edges     []build
	Peers     []string
	Caddy     string // the program
	Runs      int
	Window    time.Duration // 0: as the scenario says, and where it has events
	Address   string        // of an edge that runs already; empty: none
	Host      string        // what it is asked for; empty: target.Host
	Path      string        // the one content that it is asked for; empty: what our origin has
	Origin    string        // where our origin listens; empty: anywhere
	OriginH2  bool          // it is asked over H2 by those that can
	Confirm   bool
	Cores     target.Cores
	Alone     bool // it has a network namespace of its own
}

// build is a program of anyedge's.
type build struct{ Name, Binary string }

// exitError is the exit code of the process that measures, which has said why.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// work is a directory for a command, and how it is removed.
func work() (dir string, remove func(), err error) {
	in := "/dev/shm" // memory, so that no disk is measured
	if s, err := os.Stat(in); err != nil || !s.IsDir() {
		in = ""
	}
	dir, err = os.MkdirTemp(in, "anyedge-bench-")
	if err != nil {
		return "", nil, err
	}
	// Servers that start as root and go on as somebody else reach their files.
	return dir, func() { _ = os.RemoveAll(dir) }, os.Chmod(dir, 0o755)
}

// inside does the job in a process of its own, on the core for the load, and in a network namespace of its own where it
// may: nothing else is in it, and its loopback has the MTU of Ethernet.
func (j *job) inside(c *cobra.Command) error {
	j.Alone = os.Getuid() == 0
	if !j.Alone {
		c.PrintErrln("Not root: loopback is the machine's, with its MTU of 65536, which flatters whoever sends large packets.")
	}
	file := filepath.Join(j.Dir, "job.json")
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(c.Context(), self, "inside", file)
	cmd.Stdout, cmd.Stderr = c.OutOrStdout(), c.ErrOrStderr()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if j.Alone {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	err = target.OnCore(j.Cores.Load, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return &exitError{exit.ExitCode()}
	}
	return err
}

func newInside() *cobra.Command {
	return &cobra.Command{
		Use:    "inside JOB",
		Short:  "Does a job that another command has prepared",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var j job
			if err := json.Unmarshal(text, &j); err != nil {
				return fmt.Errorf("read the job: %w", err)
			}
			if j.Alone {
				if err := bringUpLoopback(); err != nil {
					return err
				}
			}
			return j.do(c)
		},
	}
}

func (j *job) do(c *cobra.Command) error {
	s, err := j.open(c.Context(), c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer s.close()
	switch j.Kind {
	case "run":
		return s.run(c.OutOrStdout())
	case "check":
		return s.check(c.OutOrStdout())
	default:
		return s.compare(c.OutOrStdout())
	}
}
