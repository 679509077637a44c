package cache

// Residency decides which slots stay in memory. It holds no contents: a slot is named by its key's hash, and the
// index stays the authority on what is stored. cache/memory fulfils it.
//
// Admit never blocks. All methods may be called concurrently.
type Residency interface {
	// Start names the functions that take a slot out of the index, and that tell how often it was used lately, up to a
	// few times, lowering that count by one. They may be called on any goroutine, also for a hash that the index
	// doesn't know; they don't block and call no method of Residency.
	Start(evict func(hash uint64), uses func(hash uint64) uint32)
	// Admit tells that the slot now costs so many bytes, of which false says that there is no room to decide:
	// the slot must leave the index. A slot that is refused later is evicted.
	Admit(hash uint64, cost int64) bool
	// Remove forgets a slot that left the index. It may block for a moment.
	Remove(hash uint64)
	// Limit is the largest cost that Admit may take, in bytes.
	Limit() int64
	// Resize changes how many bytes may stay. When it returns, what is beyond that has left the index.
	Resize(bytes int64)
	// Close ends what Start began. No other method may be called afterwards, or concurrently.
	Close()
}

// Toucher is a Residency that hears of each use as it happens. It costs every hit what Touch takes.
type Toucher interface {
	Touch(hash uint64)
}
