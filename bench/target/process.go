package target

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program and all that it starts.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
}

// startProcess runs a command on a core, or anywhere below 0. What it says goes into a file.
func startProcess(core int, log string, env []string, command ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	p := &process{name: filepath.Base(command[0]), cmd: exec.Command(command[0], command[1:]...), log: f}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	// Its own group, so that a keystroke for this process isn't for it; and none outlives this process.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := OnCore(core, p.cmd.Start); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

// stop asks it to end, and ends it and what it started.
func (p *process) stop() {
	pids, _ := tree(p.cmd.Process.Pid)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(2*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	kill.Stop()
	for _, pid := range pids { // of those that a number still names, only its own are in its group
		if group, err := syscall.Getpgid(pid); err == nil && group == p.cmd.Process.Pid {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = p.log.Close()
}

// ended says whether it has, though nobody has waited for it yet.
func (p *process) ended() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}

// Usage is what processes have used.
type Usage struct {
	CPU    time.Duration // in user mode and in the kernel
	Memory int64         // octets: the most that each had at once since the last reset, summed; what they share counts for each
}

// usage adds up a process and its descendants.
func usage(pid int) (u Usage, err error) {
	pids, err := tree(pid)
	if err != nil {
		return u, err
	}
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil {
			continue // it has ended meanwhile, and its parent has its time
		}
		u.CPU += s.waited + own(pid, s.own)
		u.Memory += peak(pid)
	}
	return u, nil
}

// resetPeak lets the memory that counts begin anew (proc_pid_clear_refs(5)). Where that may not be, it is since the start.
func resetPeak(pid int) {
	pids, _ := tree(pid)
	for _, pid := range pids {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	}
}

func peak(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

// stat is a part of /proc/PID/stat (proc_pid_stat(5)).
type stat struct {
	parent int
	own    time.Duration // its processor time
	waited time.Duration // that of the children it has waited for
}

const tick = time.Second / 100 // USER_HZ is 100 wherever Go runs

func readStat(pid int) (s stat, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, err
	}
	return parseStat(string(text))
}

func parseStat(text string) (s stat, err error) {
	end := strings.LastIndex(text, ") ") // the name may hold anything
	if end < 0 {
		return s, errors.New("it has no name")
	}
	fields := strings.Fields(text[end+2:])
	const parent, utime, cstime = 1, 11, 14
	if len(fields) <= cstime {
		return s, fmt.Errorf("it has %d fields", len(fields))
	}
	if s.parent, err = strconv.Atoi(fields[parent]); err != nil {
		return s, err
	}
	var times [cstime + 1 - utime]time.Duration
	for i := range times {
		n, err := strconv.ParseInt(fields[utime+i], 10, 64)
		if err != nil {
			return s, err
		}
		times[i] = time.Duration(n) * tick
	}
	s.own, s.waited = times[0]+times[1], times[2]+times[3]
	return s, nil
}

// own is a process's processor time by its clock (clock_getcpuclockid(3)), to the nanosecond; what its stat says, to a tick
// of 10 ms, where it has none. A tick is a tenth of what a server at 30 % takes in a window of 300 ms.
func own(pid int, ticks time.Duration) time.Duration {
	const scheduler = 2 // CPUCLOCK_SCHED of the kernel
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &t); err != nil {
		return ticks
	}
	return time.Duration(t.Nano())
}

// tree lists a process and its descendants.
func tree(root int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil {
			children[s.parent] = append(children[s.parent], pid)
		}
	}
	list := []int{root}
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i]]...)
	}
	return list, nil
}
