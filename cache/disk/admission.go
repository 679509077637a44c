package disk

import (
	"encoding/binary"
	"sync"

	"github.com/anyedge/anyedge/cache"
)

const (
	// doorBits is the size of a generation, a power of two: 512 KiB of memory.
	doorBits = 1 << 22
	// doorOffers is how many IDs a generation takes: with 2 bits each of 16, one in 80 passes that was never seen.
	doorOffers = doorBits / 16
)

// doorkeeper remembers which IDs were offered lately: at least the last doorOffers, at most twice as many.
type doorkeeper struct {
	mu       sync.Mutex // guards the following fields
	now, old []uint64   // bits
	offers   int        // in now
}

// knows tells whether an ID was offered before, and remembers it.
func (d *doorkeeper) knows(id cache.ID) bool {
	a := binary.LittleEndian.Uint64(id[:8]) % doorBits
	b := binary.LittleEndian.Uint64(id[8:]) % doorBits
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil {
		d.now, d.old = make([]uint64, doorBits/64), make([]uint64, doorBits/64)
	}
	if set(d.now, a) && set(d.now, b) || set(d.old, a) && set(d.old, b) {
		return true
	}
	d.now[a/64] |= 1 << (a % 64)
	d.now[b/64] |= 1 << (b % 64)
	if d.offers++; d.offers >= doorOffers {
		d.now, d.old, d.offers = d.old, d.now, 0
		clear(d.now)
	}
	return false
}

func set(bits []uint64, i uint64) bool { return bits[i/64]&(1<<(i%64)) != 0 }
