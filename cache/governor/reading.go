package governor

import (
	"io/fs"
	"runtime/metrics"
)

// Reading is what the governor decides by.
type Reading struct {
	// Live is what a collection can't free, in bytes: the heap as the last one found it, stacks, the runtime's own.
	Live int64
	// Cycle counts the collections: only the next one shows what was evicted.
	Cycle uint64
	// Allocated is what the process has allocated since it began, in bytes.
	Allocated uint64
	// Group is what all processes of the cgroup use, without page cache, in bytes; 0 where nothing limits them.
	Group int64
	// Stored is what the cache holds, in bytes.
	Stored int64
}

// sampled are the runtime's metrics that make a Reading, in this order.
var sampled = [...]string{
	"/gc/cycles/total:gc-cycles", "/gc/heap/allocs:bytes",
	"/gc/heap/live:bytes", "/memory/classes/heap/stacks:bytes", // from here on Live
	"/memory/classes/metadata/other:bytes", "/memory/classes/metadata/mspan/inuse:bytes", "/memory/classes/os-stacks:bytes",
}

// read reads what the runtime and the cgroup tell.
func (g *group) read(root fs.FS) (r Reading) {
	var samples [len(sampled)]metrics.Sample
	for i, name := range sampled {
		samples[i].Name = name
	}
	metrics.Read(samples[:])
	r.Cycle, r.Allocated = value(&samples[0]), value(&samples[1])
	for i := range samples[2:] {
		r.Live += int64(value(&samples[2+i]))
	}
	r.Group = g.used(root)
	return r
}

// value is a metric's, 0 for one that this runtime doesn't have.
func value(s *metrics.Sample) uint64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s.Value.Uint64()
}

// used is what the cgroup uses without its page cache, which the kernel takes back when it must.
func (g *group) used(root fs.FS) int64 {
	if g.current == "" {
		return 0
	}
	n, _ := number(root, g.current)
	for _, key := range []string{"inactive_file", "active_file"} {
		n -= g.cached(root, key)
	}
	return max(n, 0)
}

func (g *group) cached(root fs.FS, key string) int64 {
	f, err := root.Open(g.stat)
	if err != nil {
		return 0
	}
	defer f.Close()
	n, _ := keyed(f, key)
	return n
}
