package governor

import (
	"bufio"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// unknownLimit is taken for the machine's memory where nothing tells, in bytes.
const unknownLimit = 1 << 30

// goShare is the part of the limit that GOMEMLIMIT is set to: threads' stacks, the kernel's part of sockets and what
// the runtime doesn't count need the rest.
const goShare = 0.9

// setMemoryLimit tells the runtime the limit, unless the operator did, and returns the lower of both.
func setMemoryLimit(limit int64) int64 {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(goShare * float64(limit)))
		return limit
	}
	return min(limit, debug.SetMemoryLimit(-1))
}

// group is the cgroup that the process is in, as far as it limits memory.
type group struct {
	limit   int64  // in bytes
	current string // the file with what is in use, empty where nothing limits
	stat    string // the file that tells how much of that is page cache
}

// find returns the lowest limit of the cgroups around the process and of the machine. root is the file system's.
func find(root fs.FS) group {
	g := group{limit: machine(root)}
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return g
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(fields) < 3:
		case fields[0] == "0":
			g = g.within(root, "sys/fs/cgroup", fields[2], "memory.max", "memory.current")
		case fields[1] == "memory":
			g = g.within(root, "sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes", "memory.usage_in_bytes")
		}
	}
	return g
}

// within walks from a cgroup up to its mount, where a container sees its own as the root.
func (g group) within(root fs.FS, mount, dir, limit, current string) group {
	for {
		at := path.Join(mount, dir)
		if n, ok := number(root, path.Join(at, limit)); ok && n < g.limit {
			g = group{n, path.Join(at, current), path.Join(at, "memory.stat")}
		}
		if dir == "/" || dir == "." || dir == "" {
			return g
		}
		dir = path.Dir(dir)
	}
}

// number reads a file with one number; "max" is none.
func number(root fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n > 0 && n < math.MaxInt64/2
}

// machine is the machine's memory.
func machine(root fs.FS) int64 {
	f, err := root.Open("proc/meminfo")
	if err != nil {
		return unknownLimit
	}
	defer f.Close()
	if kilobytes, ok := keyed(f, "MemTotal:"); ok {
		return kilobytes << 10
	}
	return unknownLimit
}

// keyed reads the number behind a key at a line's begin.
func keyed(f fs.File, key string) (int64, bool) {
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) > 1 && fields[0] == key {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n, err == nil && n > 0
		}
	}
	return 0, false
}
