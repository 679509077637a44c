package cache

import (
	"math/bits"
	"sync/atomic"
)

// table finds the newest response of a slot by the hash of its key. Readers take no lock: a shard's writer, one at a
// time, changes places in a way that leaves each moment's table right for whoever is just reading it.
//
// A bucket is a cache line, so that a hit costs one miss of the processor's cache to learn where the response is, and
// about one more to read what decides over it. A key belongs to the bucket that its hash names, or where that is full
// to the next that isn't; as in Facebook's F14, a bucket counts the keys that passed it, which tells a search when to
// end and needs no tombstones.
type table struct {
	buckets []bucket
	count   int // of the places in use; the writer's
}

// places is how many fit into a bucket beside their tags.
const places = 7

// bucket is 64 octets. Of tags each of the low seven octets belongs to a place: 0 when it is free, else with the high
// bit set and seven bits of the key's hash. The eighth counts the keys that passed.
type bucket struct {
	tags  atomic.Uint64
	heads [places]atomic.Pointer[Response]
}

const (
	lowBits    = 0x01010101010101
	highBits   = 0x80808080808080
	passedUnit = 1 << 56
	passedMax  = 0xff // a count that got there stays: a search goes on in vain once in a while
)

func newTable(buckets int) *table { return &table{buckets: make([]bucket, buckets)} }

func tagOf(hash uint64) uint64 { return hash>>57 | 0x80 }

// home is the bucket that a hash names; the low bits of the hash name the shard.
func (t *table) home(hash uint64) int { return int(hash/shards) & (len(t.buckets) - 1) }

func (t *table) next(i int) int { return (i + 1) & (len(t.buckets) - 1) }

// matches has the high bit set of each octet whose place may hold that tag; a few say so wrongly.
func matches(tags, tag uint64) uint64 {
	x := tags ^ tag*lowBits
	return (x - lowBits) &^ x & highBits
}

// placeOf is the place of the lowest bit that is set.
func placeOf(octets uint64) int { return bits.TrailingZeros64(octets) / 8 }

// find returns the newest response of a key, nil for none.
func (t *table) find(hash uint64, key []byte) *Response {
	i := t.home(hash)
	for range t.buckets {
		b := &t.buckets[i]
		tags := b.tags.Load()
		for m := matches(tags, tagOf(hash)); m != 0; m &= m - 1 {
			if r := b.heads[placeOf(m)].Load(); r != nil && r.hash == hash && r.isFor(key) {
				return r
			}
		}
		if tags < passedUnit {
			return nil
		}
		i = t.next(i)
	}
	return nil
}

// place returns where the slot of that hash is, with its newest response; nil for nowhere.
func (t *table) place(hash uint64) (b *bucket, place int, r *Response) {
	i := t.home(hash)
	for range t.buckets {
		b := &t.buckets[i]
		tags := b.tags.Load()
		for m := matches(tags, tagOf(hash)); m != 0; m &= m - 1 {
			if r := b.heads[placeOf(m)].Load(); r != nil && r.hash == hash {
				return b, placeOf(m), r
			}
		}
		if tags < passedUnit {
			break
		}
		i = t.next(i)
	}
	return nil, 0, nil
}

// slot returns the slot of that hash, nil for none.
func (t *table) slot(hash uint64) *slot {
	if _, _, r := t.place(hash); r != nil {
		return r.slot
	}
	return nil
}

// set makes r the newest response of its hash. The writer calls it.
func (t *table) set(r *Response) {
	if b, place, _ := t.place(r.hash); b != nil {
		b.heads[place].Store(r)
		return
	}
	i := t.home(r.hash)
	for ; t.buckets[i].full(); i = t.next(i) {
		t.buckets[i].pass(1)
	}
	b := &t.buckets[i]
	place := b.free()
	b.heads[place].Store(r)
	b.tags.Store(b.tags.Load() | tagOf(r.hash)<<(8*place))
	t.count++
}

// clear takes a hash out. The writer calls it.
func (t *table) clear(hash uint64) {
	b, place, _ := t.place(hash)
	if b == nil {
		return
	}
	b.tags.Store(b.tags.Load() &^ (0xff << (8 * place)))
	b.heads[place].Store(nil)
	for i := t.home(hash); &t.buckets[i] != b; i = t.next(i) {
		t.buckets[i].pass(-1)
	}
	t.count--
}

// crowded tells that searches would become long with one more.
func (t *table) crowded() bool { return 4*t.count >= 3*places*len(t.buckets) }

// grown returns a table with the same in it, and twice the room.
func (t *table) grown() *table {
	g := newTable(2 * len(t.buckets))
	t.each(g.set)
	return g
}

func (t *table) each(f func(*Response)) {
	for i := range t.buckets {
		for place := range places {
			if r := t.buckets[i].heads[place].Load(); r != nil {
				f(r)
			}
		}
	}
}

func (b *bucket) free() int { return placeOf(^b.tags.Load() & highBits) }

func (b *bucket) full() bool { return b.tags.Load()&highBits == highBits }

// pass counts keys that belong here and found no place.
func (b *bucket) pass(n int) {
	tags := b.tags.Load()
	if tags/passedUnit == passedMax {
		return
	}
	b.tags.Store(tags + uint64(n)*passedUnit)
}
