package governor

// Options configures the governor. Its keys stand under `cache` in the configuration.
type Options struct {
	// Memory is what the cache may take: index, contents, fills in flight and the queue to the disk.
	Memory Amount `yaml:"memory"`
}

// Amount is an amount of memory: so many bytes, or a share of the limit that the cgroup or the machine sets. One of the
// two is 0.
type Amount struct {
	Bytes int64
	Share float64 // 0.5 for 50 %
}

const (
	// defaultShare leaves as much again to connections, and to what the garbage collector has yet to find.
	defaultShare = 0.5
	// maxShare leaves something to the rest of the process.
	maxShare = 0.8
	// minBytes is the least that a cache can do something with.
	minBytes = 1 << 20
)

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Memory: Amount{Share: defaultShare}} }

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	switch m := o.Memory; {
	case m.Share > maxShare:
		report("memory", "must be at most 80%: connections and fresh garbage need the rest")
	case m.Share <= 0 && m.Bytes < minBytes:
		report("memory", "must be at least 1MiB")
	}
}

// Of returns the amount in bytes, under a limit in bytes.
func (a Amount) Of(limit int64) int64 {
	if a.Share > 0 {
		return max(int64(a.Share*float64(limit)), minBytes)
	}
	return a.Bytes
}
