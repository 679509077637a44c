//go:build lab

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Lab is a net of hosts that lives as long as a test. Its methods are for the test's goroutine: they fail the test
// where they can't do what they are for.
type Lab struct {
	testing.TB

	name      string // prefix of its namespaces
	dir       string // configurations and control sockets; readable by the routers' users
	hosts     []*Host
	links     int
	processes []*Process
	reports   []report
	told      bool // a failure has told the state
}

// report tells, for a failed test, what state a part of the lab was in.
type report struct {
	title string
	text  func() string
}

// New makes an empty lab that ends with the test.
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("the lab makes network namespaces: run it as root")
	}
	l := &Lab{TB: t}
	sweep()
	var err error
	if l.name, l.dir, err = newPlace(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.end)
	return l
}

// newPlace takes the first free number for a lab of this process; the directory is the claim.
func newPlace() (name, dir string, err error) {
	if err := os.MkdirAll(runDir(), 0o755); err != nil {
		return "", "", err
	}
	for n := 1; ; n++ {
		dir := filepath.Join(runDir(), strconv.Itoa(n))
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return fmt.Sprintf("%s-%d", prefix(os.Getpid()), n), dir, nil
		}
		if !os.IsExist(err) {
			return "", "", err
		}
	}
}

// end stops every process, the last started first, and removes the net.
func (l *Lab) end() {
	if l.Failed() && !l.told {
		l.Log(l.State())
	}
	for i := len(l.processes) - 1; i >= 0; i-- {
		l.processes[i].end(l.Failed())
	}
	for _, h := range l.hosts {
		if err := exec.Command("ip", "netns", "delete", h.ns).Run(); err != nil {
			l.Errorf("delete namespace %s: %v", h.ns, err)
		}
	}
	if err := os.RemoveAll(l.dir); err != nil {
		l.Error(err)
	}
}

// onFailure adds a part to what [Lab.State] tells.
func (l *Lab) onFailure(title string, text func() string) {
	l.reports = append(l.reports, report{title, text})
}

// Fatalf fails the test and says what state everything was in at that moment.
func (l *Lab) Fatalf(format string, args ...any) {
	l.Helper()
	if !l.told {
		l.told = true // first, since a report may fail itself
		l.Log(l.State())
	}
	l.TB.Fatalf(format, args...)
}

// State tells what every part of the lab is up to: forwarding tables, sessions, explanations.
func (l *Lab) State() string {
	var s strings.Builder
	for _, r := range l.reports {
		fmt.Fprintf(&s, "== %s\n%s\n", r.title, strings.TrimSpace(r.text()))
	}
	return s.String()
}

// Await waits until done for something that nothing can be watched for; where it doesn't come, the test fails and
// says what was awaited. It looks every 10 ms, so it measures nothing finer.
func (l *Lab) Await(what string, limit time.Duration, done func() bool) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), limit)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			l.Fatalf("%s: not within %v", what, limit)
		case <-look.C:
		}
	}
}

// write makes a file below the lab's directory that the routers' users may read.
func (l *Lab) write(name, content string) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		l.Fatal(err)
	}
	return path
}
