//go:build lab

package lab

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// programVariable tells a copy of the test binary what it is.
const programVariable = "ANYEDGE_LAB_PROGRAM"

// Program is Go code of a test that has to be a process of its own: one that is killed, or whose libraries open
// their sockets themselves. Its context ends with SIGTERM.
type Program struct {
	Name string
	Run  func(ctx context.Context, args []string) error
}

// Program runs a program that the test's TestMain gave to [Main], on the host.
func (h *Host) Program(name string, args ...string) *Process {
	h.lab.Helper()
	self, err := os.Executable()
	if err != nil {
		h.lab.Fatal(err)
	}
	c := h.Command(context.Background(), self, args...)
	c.Env = append(os.Environ(), programVariable+"="+name)
	return h.start(name, c)
}

func runProgram(name string, programs []Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for _, p := range programs {
		if p.Name != name {
			continue
		}
		if err := p.Run(ctx, os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			return 1
		}
		return 0
	}
	fmt.Fprintf(os.Stderr, "TestMain knows no program %q\n", name)
	return 1
}
