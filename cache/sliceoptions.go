package cache

// Slices configures how large contents are fetched and kept: in slices, each of which is stored, found and evicted by
// itself.
type Slices struct {
	// Above is the size beyond which a content is sliced that comes whole, in bytes; 0 slices nothing, and lets ranges
	// of what isn't stored pass.
	Above int64 `yaml:"above" unit:"size"`
	// Size is that of a slice, in bytes, and the least that is asked for when a client wants a range. No more than
	// MaxObject, which a sliced content itself may exceed.
	Size int64 `yaml:"size" unit:"size"`
}

// minSlice and maxSlice bound the size of a slice, in bytes: below, the requests cost more than the content; above, the
// memory that each client takes does.
const (
	minSlice = 64 << 10
	maxSlice = 64 << 20
)

// Check reports every value that can't be right.
func (s *Slices) Check(report func(key, problem string)) {
	if s.Above < 0 {
		report("above", "must not be negative")
	}
	if s.Above > 0 && s.Size > s.Above {
		report("size", "must not exceed cache.slices.above")
	}
	if s.Size < minSlice || s.Size > maxSlice {
		report("size", "must be between 64KiB and 64MiB")
	}
}
