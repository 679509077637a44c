package disk

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/anyedge/anyedge/cache"
)

const (
	// shards spread the directory's locks; a power of two.
	shards = 64
	// maxVariants bounds the records of one ID; the oldest goes first.
	maxVariants = 64
	// maxReads is how far a record's reads are counted: they tell what eviction keeps.
	maxReads = 3

	none = ^uint32(0) // the end of a list of slots
)

// directory says where each record is, in about 50 octets of memory. It knows records by 64 bits of their ID, and by
// their variant: who reads one compares the rest. Two IDs that meet in those bits share a list, and at worst a
// variant, so that one takes the other's place.
type directory struct {
	shards  [shards]dirShard
	records atomic.Int64
	live    func(serial uint32, n int64) // counts a segment's records
}

// slot is one record.
type slot struct {
	variant uint64
	place   place
	next    uint32 // of the same ID, or free
	head    uint16 // see headUnits
	reads   uint8  // up to maxReads
}

// slotCost is what a record takes of memory, in bytes: its slot, and its share of a map that is two thirds full.
const slotCost = int64(unsafe.Sizeof(slot{})) + (16+1)*3/2

func newDirectory(live func(serial uint32, n int64)) *directory {
	d := &directory{live: live}
	for i := range d.shards {
		d.shards[i] = dirShard{first: make(map[uint64]uint32), free: none}
	}
	return d
}

func fingerprint(id cache.ID) uint64 { return binary.LittleEndian.Uint64(id[:8]) }

func (d *directory) shard(print uint64) *dirShard { return &d.shards[print%shards] }

// has tells whether there is a record of that ID.
func (d *directory) has(id cache.ID) bool {
	print := fingerprint(id)
	sh := d.shard(print)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	_, ok := sh.first[print]
	return ok
}

// lookup appends the ID's records to found.
func (d *directory) lookup(id cache.ID, found []slot) []slot {
	print := fingerprint(id)
	sh := d.shard(print)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for i := sh.start(print); i != none; i = sh.at(i).next {
		found = append(found, *sh.at(i))
	}
	return found
}

// find returns the record of that ID and variant.
func (d *directory) find(id cache.ID, variant uint64) (slot, bool) {
	print := fingerprint(id)
	sh := d.shard(print)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if i := sh.find(print, variant); i != none {
		return *sh.at(i), true
	}
	return slot{}, false
}

// put enters a record unless there is a newer one of that ID and variant.
func (d *directory) put(id cache.ID, variant uint64, p place, head uint16) {
	print := fingerprint(id)
	sh := d.shard(print)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i := sh.find(print, variant); i != none {
		if s := sh.at(i); s.place.before(p) {
			d.relocate(s, p)
			s.head, s.reads = head, 0
		}
		return
	}
	oldest, count := sh.oldest(print)
	if count >= maxVariants && p.before(oldest) {
		return
	}
	if count >= maxVariants {
		d.dropIn(sh, print, func(s *slot) bool { return s.place == oldest })
	}
	d.records.Add(1)
	d.live(p.serial, 1)
	i := sh.take()
	*sh.at(i) = slot{variant: variant, place: p, next: sh.start(print), head: head}
	sh.first[print] = i
}

// move enters a record's copy, if the record is still where it was copied from.
func (d *directory) move(id cache.ID, variant uint64, from, to place) bool {
	print := fingerprint(id)
	sh := d.shard(print)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.find(print, variant)
	if i == none || sh.at(i).place != from {
		return false
	}
	d.relocate(sh.at(i), to)
	sh.at(i).reads--
	return true
}

// relocate enters a slot's new place. The shard is locked.
func (d *directory) relocate(s *slot, to place) {
	d.live(to.serial, 1)
	d.live(s.place.serial, -1)
	s.place = to
}

// touch notes a read of a record.
func (d *directory) touch(id cache.ID, variant uint64) {
	print := fingerprint(id)
	sh := d.shard(print)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i := sh.find(print, variant); i != none {
		sh.at(i).reads = min(sh.at(i).reads+1, maxReads)
	}
}

// remove forgets a record, if it is still at p.
func (d *directory) remove(id cache.ID, variant uint64, p place) bool {
	return d.drop(fingerprint(id), func(s *slot) bool { return s.variant == variant && s.place == p }) > 0
}

// hide forgets a record, wherever it is.
func (d *directory) hide(id cache.ID, variant uint64) {
	d.drop(fingerprint(id), func(s *slot) bool { return s.variant == variant })
}

// delete forgets the records of an ID.
func (d *directory) delete(id cache.ID) {
	d.drop(fingerprint(id), func(*slot) bool { return true })
}

// sweep forgets the records of a segment that can't say which ones they are.
func (d *directory) sweep(serial uint32) (n int) {
	for i := range d.shards {
		sh := &d.shards[i]
		sh.mu.RLock()
		var prints []uint64
		for print := range sh.first {
			prints = append(prints, print)
		}
		sh.mu.RUnlock()
		for _, print := range prints {
			n += d.drop(print, func(s *slot) bool { return s.place.serial == serial })
		}
	}
	return n
}

func (d *directory) drop(print uint64, drop func(*slot) bool) (n int) {
	sh := d.shard(print)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return d.dropIn(sh, print, drop)
}

// dropIn frees the slots of a list that drop chooses. The shard is locked.
func (d *directory) dropIn(sh *dirShard, print uint64, drop func(*slot) bool) (n int) {
	kept := none
	for i := sh.start(print); i != none; {
		s := sh.at(i)
		next := s.next
		if drop(s) {
			d.live(s.place.serial, -1)
			s.next, sh.free = sh.free, i
			n++
		} else {
			s.next, kept = kept, i
		}
		i = next
	}
	sh.begin(print, kept)
	d.records.Add(int64(-n))
	return n
}

// begin sets where a list begins.
func (sh *dirShard) begin(print uint64, i uint32) {
	if i == none {
		delete(sh.first, print)
		return
	}
	sh.first[print] = i
}
