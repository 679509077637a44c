package memory

import (
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// class is one ristretto cache over slots of similar cost.
type class struct {
	max, mean int64
	evict     func(hash uint64)
	store     *ristretto.Cache[uint64, int64]

	pending      atomic.Int64 // sets in the queue
	pendingBytes atomic.Int64 // their costs: memory beyond max that is in use until they are decided
	closed       atomic.Bool
}

func newClass(maxCost, meanCost int64) *class {
	return &class{max: max(maxCost, 1), mean: meanCost}
}

func (c *class) start(evict func(hash uint64)) {
	c.evict = evict
	c.store = newStore(c.max, c.mean, c)
}

func (c *class) touch(hash uint64) bool {
	_, ok := c.store.Get(hash)
	return ok
}

// admit queues a set. With cost 0 ristretto asks taken for the cost, which tells us that the set left the queue.
func (c *class) admit(hash uint64, cost int64) bool {
	if cost > c.max || c.full(cost) {
		return false
	}
	c.pending.Add(1)
	c.pendingBytes.Add(cost)
	if c.store.Set(hash, cost, 0) {
		return true
	}
	c.taken(cost)
	return false
}

// full bounds what waits for a decision to a quarter of the class, or one slot.
func (c *class) full(cost int64) bool {
	n, bytes := c.pending.Load(), c.pendingBytes.Load()
	return n >= maxPending || n > 0 && bytes+cost > c.max/4
}

// taken is called as a set leaves the queue.
func (c *class) taken(cost int64) int64 {
	c.pending.Add(-1)
	c.pendingBytes.Add(-cost)
	return cost
}

// shed makes a slot that moved to the other class cost next to nothing; eviction then takes what is left of it. Unlike
// remove it doesn't block, and the entry's value of 1 tells evicted that the index isn't concerned.
func (c *class) shed(hash uint64) {
	if v, ok := c.store.Get(hash); ok && v != shedValue {
		c.admit(hash, shedValue)
	}
}

// shedValue is the cost, in bytes, of an entry whose slot lives in the other class.
const shedValue = 1

func (c *class) remove(hash uint64) {
	if _, ok := c.store.Get(hash); ok || c.pending.Load() > 0 {
		c.store.Del(hash)
	}
}

// evicted is called by ristretto for a victim, with a zero value when the victim was already gone.
func (c *class) evicted(i *ristretto.Item[int64]) {
	if i.Value > shedValue && !c.closed.Load() {
		c.evict(i.Key)
	}
}

// rejected is called by ristretto for what it doesn't let in, and for a resident key that was set twice in a row.
func (c *class) rejected(i *ristretto.Item[int64]) {
	if _, resident := c.store.Get(i.Key); !resident && i.Value > shedValue {
		c.evict(i.Key)
	}
}

// close empties the class without telling the index, which ends with it.
func (c *class) close() {
	c.closed.Store(true)
	c.store.Close()
}
