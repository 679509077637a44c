package load

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// memory is the share of the memory that can't be had: of the cgroup's limit where it has one, else of the machine's.
// What only caches files isn't counted, since the kernel gives it back.
func (s *Sampler) memory(time.Duration, *health.LoadOptions) (health.Figure, bool) {
	if limit, ok := s.number("sys/fs/cgroup/memory.max"); ok {
		if used, ok := s.number("sys/fs/cgroup/memory.current"); ok {
			f, known := share(health.Memory, max(used-s.fileCache(), 0), limit)
			f.Detail = "of the cgroup's limit of " + mebibytes(limit)
			return f, known
		}
	}
	total, available := 0.0, -1.0
	for line := range s.lines("proc/meminfo") {
		switch key, value, _ := strings.Cut(line, ":"); key {
		case "MemTotal":
			total = kibibytes(value)
		case "MemAvailable":
			available = kibibytes(value)
		}
	}
	if available < 0 || available > total {
		return health.Figure{}, false
	}
	f, known := share(health.Memory, total-available, total)
	f.Detail = "of the machine's " + mebibytes(total)
	return f, known
}

// fileCache is what of the cgroup's memory the kernel would give back first.
func (s *Sampler) fileCache() float64 {
	for line := range s.lines("sys/fs/cgroup/memory.stat") {
		if value, ok := strings.CutPrefix(line, "inactive_file "); ok {
			n, _ := strconv.ParseFloat(value, 64)
			return n
		}
	}
	return 0
}

// kibibytes reads a figure of /proc/meminfo, "  123 kB", as octets.
func kibibytes(text string) float64 {
	n, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 64)
	return n * 1024
}

func mebibytes(octets float64) string { return fmt.Sprintf("%.0f MiB", octets/(1<<20)) }
