package cache

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// shards spread the index's locks; a power of two.
	shards = 256
	// maxVariants bounds the variants of one target URI; the oldest goes first. Lookup walks them all.
	maxVariants = 64
)

// index finds slots by their key: the authority on what is stored. The hash is seeded anew in each process, so that
// nobody outside can make keys collide, and 64 bits of it suffice because the key itself is compared. Should two keys
// meet, the newer slot replaces the older.
type index struct {
	seed      maphash.Seed
	shards    [shards]shard
	slots     atomic.Int64
	responses atomic.Int64
	bytes     atomic.Int64
	tags      *tagIndex
}

type shard struct {
	mu    sync.RWMutex // guards slots, and the writing of their variants
	slots map[uint64]*slot
}

// slot holds what is stored for one target URI.
type slot struct {
	hash     uint64
	key      string
	variants atomic.Pointer[[]*Response] // newest first; the list never changes, a new one replaces it
}

func newIndex(tags *tagIndex) *index {
	ix := &index{seed: maphash.MakeSeed(), tags: tags}
	for i := range ix.shards {
		ix.shards[i].slots = make(map[uint64]*slot)
	}
	return ix
}

func (ix *index) hash(key []byte) uint64 { return maphash.Bytes(ix.seed, key) }

func (ix *index) shard(hash uint64) *shard { return &ix.shards[hash%shards] }

// get returns the slot of a key, nil for none.
func (ix *index) get(hash uint64, key []byte) *slot {
	sh := ix.shard(hash)
	sh.mu.RLock()
	s := sh.slots[hash]
	sh.mu.RUnlock()
	if s == nil || s.key != string(key) {
		return nil
	}
	return s
}

// list returns the slot's responses, newest first.
func (s *slot) list() []*Response {
	if list := s.variants.Load(); list != nil {
		return *list
	}
	return nil
}

// add stores the response to a request in place of those that the request selects as well, and returns what its slot
// now costs.
func (ix *index) add(hash uint64, key string, r *Response, request FieldReader) (cost int64) {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slots[hash]
	if s == nil || s.key != key {
		ix.drop(sh, s)
		s = &slot{hash: hash, key: key}
		sh.slots[hash] = s
		ix.slots.Add(1)
	}
	return ix.swap(s, append([]*Response{r}, others(s.list(), request)...))
}

// others returns the variants that a request doesn't select, no more than leave room for one.
func others(list []*Response, request FieldReader) (others []*Response) {
	for _, old := range list {
		if !selects(old.vary, request) && len(others) < maxVariants-1 {
			others = append(others, old)
		}
	}
	return others
}

// replace stores a response in the place of another, which must still be there.
func (ix *index) replace(hash uint64, key string, old, r *Response) (cost int64, ok bool) {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slots[hash]
	if s == nil || s.key != key || !slices.Contains(s.list(), old) {
		return 0, false
	}
	others := slices.DeleteFunc(slices.Clone(s.list()), func(v *Response) bool { return v == old || sameVary(v.vary, r.vary) })
	return ix.swap(s, append([]*Response{r}, others...)), true
}

// remove takes responses out, all that drop chooses, and their slot with the last. gone tells that the slot is out.
func (ix *index) remove(hash uint64, key string, drop func(*Response) bool) (count int, gone bool) {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slots[hash]
	if s == nil || s.key != key {
		return 0, false
	}
	left := slices.DeleteFunc(slices.Clone(s.list()), drop)
	count = len(s.list()) - len(left)
	if len(left) == 0 {
		ix.drop(sh, s)
		return count, true
	}
	ix.swap(s, left)
	return count, false
}

// evict takes a slot out, whatever is in it, and tells how many responses that were.
func (ix *index) evict(hash uint64) int {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slots[hash]
	if s == nil {
		return 0
	}
	n := len(s.list())
	ix.drop(sh, s)
	return n
}

// cost returns what the slot of that hash costs, 0 for none.
func (ix *index) cost(hash uint64) int64 {
	sh := ix.shard(hash)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if s := sh.slots[hash]; s != nil {
		return s.cost()
	}
	return 0
}

// drop takes a slot out of its shard, which is locked.
func (ix *index) drop(sh *shard, s *slot) {
	if s == nil {
		return
	}
	ix.swap(s, nil)
	delete(sh.slots, s.hash)
	ix.slots.Add(-1)
}

// swap replaces a slot's list and keeps count. The slot's shard is locked.
func (ix *index) swap(s *slot, list []*Response) (cost int64) {
	for _, old := range s.list() {
		if !slices.Contains(list, old) {
			ix.count(old, -1)
		}
	}
	for _, r := range list {
		if !slices.Contains(s.list(), r) {
			ix.count(r, 1)
		}
	}
	s.variants.Store(&list)
	return s.cost()
}

func (ix *index) count(r *Response, sign int64) {
	ix.responses.Add(sign)
	ix.bytes.Add(sign * r.cost())
	ix.tags.count(r.tags, int(sign))
}

func (s *slot) cost() (n int64) {
	n = int64(len(s.key))
	for _, r := range s.list() {
		n += r.cost()
	}
	return n
}

// each calls f for every slot, a shard at a time and without its lock. A slot that comes meanwhile may be missed.
func (ix *index) each(f func(*slot)) {
	var batch []*slot
	for i := range ix.shards {
		sh := &ix.shards[i]
		sh.mu.RLock()
		batch = batch[:0]
		for _, s := range sh.slots {
			batch = append(batch, s)
		}
		sh.mu.RUnlock()
		for _, s := range batch {
			f(s)
		}
	}
}
