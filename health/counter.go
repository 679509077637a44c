package health

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	demandSlots  = 10 // seconds: long enough to smooth a quiet one, short enough that the weights follow the traffic
	demandShards = 8  // cores that count at once seldom meet in one cache line
)

// counter counts the events of the last ten seconds. Every request of the data path reports to it, so it takes no lock:
// a slot is one word, its second in the upper half and its count in the lower, and a stale slot is emptied by the same
// compare-and-swap that counts.
type counter struct{ shards [demandShards]shard }

type shard struct {
	slots [demandSlots]atomic.Uint64
	_     [128 - demandSlots*8]byte // two cache lines, since processors fetch them in pairs
}

const countBits = 32

// add counts one event at now, the time since some fixed start.
func (c *counter) add(now time.Duration) {
	second := secondOf(now)
	slot := &c.shards[rand.Uint64()%demandShards].slots[second%demandSlots]
	for {
		was := slot.Load()
		is := was + 1
		if was>>countBits < second {
			is = second<<countBits | 1
		}
		if slot.CompareAndSwap(was, is) {
			return
		}
	}
}

// sum returns how many events the last ten seconds had.
func (c *counter) sum(now time.Duration) (n uint64) {
	second := secondOf(now)
	for i := range c.shards {
		for j := range c.shards[i].slots {
			word := c.shards[i].slots[j].Load()
			if word>>countBits+demandSlots > second {
				n += word & (1<<countBits - 1)
			}
		}
	}
	return n
}

func secondOf(now time.Duration) uint64 { return uint64(max(now, 0) / time.Second) }
