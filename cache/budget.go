package cache

import "sync/atomic"

// budget bounds the memory that fills in flight hold, in bytes.
type budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

// reserve takes n bytes, all or none.
func (b *budget) reserve(n int64) bool {
	if b.used.Add(n) > b.limit.Load() {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) release(n int64) { b.used.Add(-n) }
