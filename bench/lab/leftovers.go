//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ours matches what prefix makes: process ID and start time, so that a reused ID isn't taken for the process.
var ours = regexp.MustCompile(`^aelab-(\d+)-\d+`)

// Main runs the tests of a package, and removes what they leave in the file system. Where the process is a copy that
// [Host.Program] started, it runs that program instead.
//
//	func TestMain(m *testing.M) { lab.Main(m, lab.Program{Name: "speaker", Run: speak}) }
func Main(m *testing.M, programs ...Program) {
	if name := os.Getenv(programVariable); name != "" {
		os.Exit(runProgram(name, programs))
	}
	code := m.Run()
	if err := errors.Join(os.RemoveAll(runDir()), os.RemoveAll(binDir())); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// prefix names what belongs to a process; it is empty where that process is gone.
func prefix(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command's name, field 2, may hold anything; field 22 is the start time.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return fmt.Sprintf("aelab-%d-%s", pid, fields[19])
}

// runDir holds sockets, so its path is short; /run may forbid execution, so binDir is elsewhere.
func runDir() string { return filepath.Join("/run", prefix(os.Getpid())) }
func binDir() string { return filepath.Join(os.TempDir(), prefix(os.Getpid())) }

// sweep removes what labs of dead processes left: namespaces with the processes in them, and directories.
func sweep() {
	for _, ns := range leftIn("/run/netns") {
		killAll(ns)
		_ = exec.Command("ip", "netns", "delete", ns).Run() // another run may have been quicker
	}
	for _, parent := range []string{"/run", os.TempDir()} {
		for _, name := range leftIn(parent) {
			_ = os.RemoveAll(filepath.Join(parent, name))
		}
	}
}

// leftIn lists the names in dir that a process of ours made and didn't live to remove.
func leftIn(dir string) []string {
	entries, _ := os.ReadDir(dir) // none yet: nothing left
	var left []string
	for _, e := range entries {
		m := ours.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		pid, err := strconv.Atoi(m[1])
		if err == nil && prefix(pid) != m[0] {
			left = append(left, e.Name())
		}
	}
	return left
}

// killAll kills the processes in a namespace of ours, which holds none but ours.
func killAll(ns string) {
	out, _ := exec.Command("ip", "netns", "pids", ns).Output() // gone meanwhile: no processes
	for pid := range strings.FieldsSeq(string(out)) {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
}
