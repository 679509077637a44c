package probe

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// maxOutput bounds what is kept of a program's output, in bytes: its last words are at most one line of a log.
	maxOutput = 4 << 10
	// outputGrace is how long a program's output may stay open once it has ended: something that it left behind has it.
	outputGrace = 100 * time.Millisecond
)

// checkExec runs a program in a process group of its own, which is killed as a whole when the time is over.
func (s Service) checkExec(ctx context.Context) error {
	c := exec.CommandContext(ctx, s.Exec[0], s.Exec[1:]...)
	out := &head{limit: maxOutput}
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = outputGrace
	err := c.Run()
	if err == nil {
		return nil
	}
	if said := out.line(); said != "" {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// head keeps the first octets that are written to it.
type head struct {
	limit int
	text  bytes.Buffer
}

func (h *head) Write(b []byte) (int, error) {
	h.text.Write(b[:min(len(b), h.limit-h.text.Len())])
	return len(b), nil
}

// line is the first line of it that says something.
func (h *head) line() string {
	line, _, _ := strings.Cut(strings.TrimSpace(h.text.String()), "\n")
	return strings.TrimSpace(line)
}
