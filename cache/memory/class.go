package memory

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// class is one ristretto cache over slots of similar cost.
type class struct {
	max   atomic.Int64
	mean  int64
	evict func(hash uint64)
	store *ristretto.Cache[uint64, int64]

	pending      atomic.Int64 // sets in the queue
	pendingBytes atomic.Int64 // their costs: memory beyond max that is in use until they are decided
	closed       atomic.Bool
}

func newClass(maxCost, meanCost int64) *class {
	c := &class{mean: meanCost}
	c.max.Store(max(maxCost, 1))
	return c
}

func (c *class) start(evict func(hash uint64)) {
	c.evict = evict
	c.store = newStore(c.max.Load(), c.mean, c)
}

func (c *class) touch(hash uint64) bool {
	_, ok := c.store.Get(hash)
	return ok
}

// admit queues a set. With cost 0 ristretto asks taken for the cost, which tells us that the set left the queue.
func (c *class) admit(hash uint64, cost int64) bool {
	if cost > c.max.Load() || c.full(cost) {
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
	return n >= maxPending || n > 0 && bytes+cost > c.max.Load()/4
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

// resize changes the limit. Ristretto evicts only for the sake of a newcomer, as long as that is wanted more than its
// victims: so one comes that seems to be wanted more than any.
func (c *class) resize(maxCost int64) {
	c.max.Store(max(maxCost, 1))
	c.store.UpdateMaxCost(c.max.Load())
	for try := 0; c.store.RemainingCost() < 0 && try < maxGuests; try++ {
		c.receive(rand.Uint64())
	}
}

// maxGuests bounds how often resize tries: the uses that make a guest wanted are counted behind its back.
const maxGuests = 100

func (c *class) receive(guest uint64) {
	for range bufferItems {
		c.store.Get(guest)
	}
	c.store.Set(guest, shedValue, shedValue)
	c.store.Wait()
	c.store.Del(guest)
}

// close empties the class without telling the index, which ends with it.
func (c *class) close() {
	c.closed.Store(true)
	c.store.Close()
}
