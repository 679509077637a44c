package memory

import (
	"fmt"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	// smallLimit parts the classes, in bytes.
	smallLimit = 256 << 10

	// The classes' shares.
	smallShare = 2. / 3
	largeShare = 1. / 3

	// smallMean and largeMean are the costs that the number of counters is derived from, in bytes: too many
	// counters waste 5 bytes each, too few blur the frequencies.
	smallMean = 8 << 10
	largeMean = 1 << 20

	// bufferItems is the size of a buffer of gets; see the package comment.
	bufferItems = 4096

	// maxPending is how many sets may wait, safely below the queue's 32,768.
	maxPending = 24 << 10
)

// Ristretto fulfils cache.Residency and cache.Toucher. Its methods may be called concurrently, except Start and Close.
type Ristretto struct {
	small, large *class
}

// NewRistretto returns a residency for that many bytes.
func NewRistretto(limit int64) *Ristretto {
	return &Ristretto{
		small: newClass(int64(smallShare*float64(limit)), smallMean),
		large: newClass(int64(largeShare*float64(limit)), largeMean),
	}
}

// Start names the function that takes a slot out of the index and begins to decide.
func (r *Ristretto) Start(evict func(hash uint64), _ func(hash uint64) uint32) {
	r.small.start(evict)
	r.large.start(evict)
}

// Touch tells of a use of the slot.
func (r *Ristretto) Touch(hash uint64) {
	if !r.small.touch(hash) {
		r.large.touch(hash)
	}
}

// Admit tells that the slot costs so many bytes; false when there is no room to decide.
func (r *Ristretto) Admit(hash uint64, cost int64) bool {
	cost = max(cost, shedValue+1)
	if cost <= smallLimit {
		return r.move(r.large, r.small, hash, cost)
	}
	return r.move(r.small, r.large, hash, cost)
}

// move admits to one class what may be in the other.
func (r *Ristretto) move(from, to *class, hash uint64, cost int64) bool {
	from.shed(hash)
	return to.admit(hash, cost)
}

// Remove forgets a slot.
func (r *Ristretto) Remove(hash uint64) {
	r.small.remove(hash)
	r.large.remove(hash)
}

// Limit is the largest cost that is taken, in bytes.
func (r *Ristretto) Limit() int64 {
	return max(r.large.max.Load(), min(r.small.max.Load(), smallLimit))
}

// Resize changes how many bytes may stay.
func (r *Ristretto) Resize(limit int64) {
	r.small.resize(int64(smallShare * float64(limit)))
	r.large.resize(int64(largeShare * float64(limit)))
}

// Close stops deciding.
func (r *Ristretto) Close() {
	r.small.close()
	r.large.close()
}

// newStore returns ristretto tuned as the package comment says.
func newStore(maxCost, meanCost int64, c *class) *ristretto.Cache[uint64, int64] {
	store, err := ristretto.NewCache(&ristretto.Config[uint64, int64]{
		NumCounters:        max(10*(maxCost/meanCost), 1024),
		MaxCost:            maxCost,
		BufferItems:        bufferItems,
		IgnoreInternalCost: true, // the cost includes the cache's overhead
		Cost:               c.taken,
		OnEvict:            c.evicted,
		OnReject:           c.rejected,
	})
	if err != nil {
		// NewCache refuses only figures below 1, and there are none.
		panic(fmt.Sprintf("memory: %v", err))
	}
	return store
}
