//go:build lab

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a program that runs on a host until it ends or the test does.
type Process struct {
	Name    string
	Started time.Time

	lab  *Lab
	cmd  *exec.Cmd
	log  transcript
	done chan struct{} // closed when it has ended
	err  error         // how; readable once done is closed

	later []int // processes that have come after it
}

// Start runs a program in the background. What it prints is kept, and shown if the test fails.
func (h *Host) Start(name string, args ...string) *Process {
	h.lab.Helper()
	return h.start(name, h.Command(context.Background(), name, args...))
}

func (h *Host) start(name string, c *exec.Cmd) *Process {
	h.lab.Helper()
	p := &Process{Name: name + " on " + h.Name, Started: time.Now(), lab: h.lab, cmd: c, done: make(chan struct{})}
	c.Stdout, c.Stderr = &p.log, &p.log
	if err := c.Start(); err != nil {
		h.lab.Fatalf("start %s: %v", p.Name, err)
	}
	h.lab.processes = append(h.lab.processes, p)
	go func() { // ends with the process, which Lab.end waits for
		defer close(p.done)
		p.err = c.Wait()
	}()
	return p
}

// Signal sends s.
func (p *Process) Signal(s syscall.Signal) {
	p.lab.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.lab.Fatalf("signal %s to %s: %v", s, p.Name, err)
	}
}

// Kill ends the process without a goodbye and returns when it is gone.
func (p *Process) Kill() {
	p.lab.Helper()
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Wait returns how the process ended; one that goes on for longer than limit fails the test.
func (p *Process) Wait(limit time.Duration) error {
	p.lab.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(limit):
		p.lab.Fatalf("%s still runs after %v\n%s", p.Name, limit, p.log.tail())
		return nil
	}
}

// WaitLog waits until the process has printed text.
func (p *Process) WaitLog(text string, limit time.Duration) {
	p.lab.Helper()
	deadline := time.After(limit)
	for {
		has, changed := p.log.contains(text)
		if has {
			return
		}
		select {
		case <-changed:
		case <-p.done:
			if has, _ := p.log.contains(text); !has {
				p.lab.Fatalf("%s ended (%v) before it said %q\n%s", p.Name, p.err, text, p.log.tail())
			}
			return
		case <-deadline:
			p.lab.Fatalf("%s didn't say %q within %v\n%s", p.Name, text, limit, p.log.tail())
		}
	}
}

// Descriptors limits how many files and sockets the process may have open, those that it has among them.
func (p *Process) Descriptors(most int) {
	p.lab.Helper()
	limit := fmt.Sprintf("--nofile=%d:", most) // the soft limit alone
	if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(p.cmd.Process.Pid), limit).CombinedOutput(); err != nil {
		p.lab.Fatalf("limit the descriptors of %s: %v %s", p.Name, err, out)
	}
}

// Output is what the process has printed so far.
func (p *Process) Output() string { return p.log.String() }

// PeakMemory is the most resident memory that the process had so far, in bytes.
func (p *Process) PeakMemory() int64 {
	p.lab.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.lab.Fatalf("%s: %v", p.Name, err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		p.lab.Fatalf("%s: peak memory: %v", p.Name, err)
	}
	return kib << 10
}

// CPU is the processor time that the process has used so far.
func (p *Process) CPU() time.Duration {
	p.lab.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.lab.Fatalf("%s: %v", p.Name, err)
	}
	_, after, _ := strings.Cut(string(stat), ") ") // behind the name, which may have blanks
	fields := strings.Fields(after)
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		p.lab.Fatalf("%s: processor time: %v", p.Name, err)
	}
	const tick = 10 * time.Millisecond // proc(5)
	return time.Duration(user+system) * tick
}

// end stops the process at the end of the test.
func (p *Process) end(show bool) {
	for _, pid := range p.later {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // ended in between: done says so
		select {
		case <-p.done:
		case <-time.After(time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	if show {
		p.lab.Logf("== %s (%v)\n%s", p.Name, p.cmd.ProcessState, p.log.tail())
	}
}
