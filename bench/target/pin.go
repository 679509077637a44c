package target

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Cores are where servers and load run; -1: anywhere, since there is only one core.
type Cores struct{ Server, Load int }

// Pin divides the processors that this process may use: the first for servers, the last for the load.
func Pin() Cores {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() < 2 {
		return Cores{-1, -1}
	}
	c := Cores{-1, -1}
	for i := range len(set) * 64 {
		if !set.IsSet(i) {
			continue
		}
		if c.Server < 0 {
			c.Server = i
		}
		c.Load = i
	}
	return c
}

// OnCore calls f on a thread that may run on one core only, which the processes that it starts inherit. Below 0: on any.
func OnCore(core int, f func() error) error {
	if core < 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	err := f()
	if back := unix.SchedSetaffinity(0, &before); back != nil {
		runtime.LockOSThread() // a thread that stays pinned mustn't be used for anything else: it ends with its goroutine
		return back
	}
	return err
}
