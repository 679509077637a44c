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
	varies    varyLists
	// orphaned is told of a sliced content whose last head has gone. It is called with a shard locked.
	orphaned func(key string, of *sliced)
}

// shard is 64 octets, so that the locks of one don't slow the readers of another.
type shard struct {
	mu    sync.Mutex // guards the changing of the table, and of the slots in it
	table atomic.Pointer[table]
	_     [48]byte
}

// slot holds what is stored for one target URI. A hit doesn't touch it, as long as there is one variant.
type slot struct {
	hash     uint64
	key      string
	newest   atomic.Pointer[Response]
	variants atomic.Pointer[[]*Response] // nil unless there are several; a list never changes, a new one replaces it
}

func newIndex(tags *tagIndex) *index {
	ix := &index{seed: maphash.MakeSeed(), tags: tags, orphaned: func(string, *sliced) {}}
	for i := range ix.shards {
		ix.shards[i].table.Store(newTable(1))
	}
	return ix
}

func (ix *index) hash(key []byte) uint64 { return maphash.Bytes(ix.seed, key) }

func (ix *index) shard(hash uint64) *shard { return &ix.shards[hash%shards] }

// find returns the newest response of a key, nil for none.
func (ix *index) find(hash uint64, key []byte) *Response {
	return ix.shard(hash).table.Load().find(hash, key)
}

// get returns the slot of a key, nil for none.
func (ix *index) get(hash uint64, key []byte) *slot {
	if r := ix.find(hash, key); r != nil {
		return r.slot
	}
	return nil
}

// list returns the slot's responses, newest first.
func (s *slot) list() []*Response {
	if list := s.variants.Load(); list != nil {
		return *list
	}
	if r := s.newest.Load(); r != nil {
		return r.alone[:]
	}
	return nil
}

// set replaces the list; whoever reads it meanwhile gets one or the other.
func (s *slot) set(list []*Response) {
	switch len(list) {
	case 0:
		s.newest.Store(nil)
		s.variants.Store(nil)
	case 1:
		s.newest.Store(list[0])
		s.variants.Store(nil)
	default:
		s.variants.Store(&list)
		s.newest.Store(list[0])
	}
}

// add stores the response to a request in place of those that the request selects as well, and returns what its slot
// now costs. The response must be new.
func (ix *index) add(hash uint64, key string, r *Response, request FieldReader) (cost int64) {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slot(hash)
	if s == nil || s.key != key {
		ix.drop(sh, s)
		s = &slot{hash: hash, key: key}
		ix.slots.Add(1)
	}
	return ix.swap(sh, s, append([]*Response{r}, others(s.list(), request)...))
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
	return ix.insert(hash, key, old, r, func(v *Response) bool { return v == old || sameVary(v.vary, r.vary) })
}

// addBeside stores a response as another variant beside one, which must still be there.
func (ix *index) addBeside(hash uint64, key string, old, r *Response) (cost int64, ok bool) {
	return ix.insert(hash, key, old, r, func(v *Response) bool { return sameVary(v.vary, r.vary) })
}

// insert stores a response without those that drop chooses, as long as old is there.
func (ix *index) insert(hash uint64, key string, old, r *Response, drop func(*Response) bool) (cost int64, ok bool) {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slot(hash)
	if s == nil || s.key != key || !slices.Contains(s.list(), old) {
		return 0, false
	}
	others := slices.DeleteFunc(slices.Clone(s.list()), drop)
	others = others[:min(len(others), maxVariants-1)]
	return ix.swap(sh, s, append([]*Response{r}, others...)), true
}

// restore stores responses beside those that are there, except where those say the same in the fields that both vary
// by: they are newer. ok tells that there was something to store, and that no other key has the place.
func (ix *index) restore(hash uint64, key string, list []*Response) (cost int64, ok bool) {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slot(hash)
	isNew := s == nil
	if isNew {
		s = &slot{hash: hash, key: key}
	}
	all := slices.Clone(s.list())
	for _, r := range list {
		alike := func(v *Response) bool { return sameVary(v.vary, r.vary) }
		if len(all) < maxVariants && !slices.ContainsFunc(all, alike) {
			all = append(all, r)
		}
	}
	if s.key != key || len(all) == len(s.list()) {
		return 0, false
	}
	if isNew {
		ix.slots.Add(1)
	}
	return ix.swap(sh, s, all), true
}

// whileStored calls f if a response is stored, and lets nothing change that meanwhile.
func (ix *index) whileStored(r *Response, f func()) {
	sh := ix.shard(r.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s := sh.slot(r.hash); s == r.slot && slices.Contains(s.list(), r) {
		f()
	}
}

// remove takes responses out, all that drop chooses, and their slot with the last. gone tells that the slot is out.
func (ix *index) remove(hash uint64, key string, drop func(*Response) bool) (count int, gone bool) {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slot(hash)
	if s == nil || s.key != key {
		return 0, false
	}
	left := slices.DeleteFunc(slices.Clone(s.list()), drop)
	count = len(s.list()) - len(left)
	if len(left) == 0 {
		ix.drop(sh, s)
		return count, true
	}
	ix.swap(sh, s, left)
	return count, false
}

// evict takes a slot out, whatever is in it, and tells how many responses that were.
func (ix *index) evict(hash uint64) int {
	sh := ix.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slot(hash)
	if s == nil {
		return 0
	}
	n := len(s.list())
	ix.drop(sh, s)
	return n
}

// cost returns what the slot of that hash costs, 0 for none.
func (ix *index) cost(hash uint64) int64 {
	if s := ix.shard(hash).slot(hash); s != nil {
		return s.cost()
	}
	return 0
}

// spend tells how often the responses of a slot were used, as far as they count that, and lowers their counts by one.
func (ix *index) spend(hash uint64) (uses uint32) {
	if s := ix.shard(hash).slot(hash); s != nil {
		for _, r := range s.list() {
			uses += r.spend()
		}
	}
	return uses
}

func (sh *shard) slot(hash uint64) *slot { return sh.table.Load().slot(hash) }

// drop takes a slot out of its shard, which is locked.
func (ix *index) drop(sh *shard, s *slot) {
	if s == nil {
		return
	}
	ix.swap(sh, s, nil)
	ix.slots.Add(-1)
}

// swap replaces a slot's list and keeps count. The slot's shard is locked.
func (ix *index) swap(sh *shard, s *slot, list []*Response) (cost int64) {
	uses := uint32(0) // of what is replaced: its successor will be wanted as often
	for _, old := range s.list() {
		if !slices.Contains(list, old) {
			ix.count(old, -1)
			uses = max(uses, old.uses.Load())
			ix.tellOrphaned(s, old, list)
		}
	}
	for _, r := range list {
		if r.slot == nil {
			r.enter(s, uses)
			r.vary = ix.varies.share(r.vary)
		}
		if !slices.Contains(s.list(), r) {
			ix.count(r, 1)
		}
	}
	s.set(list)
	sh.publish(s, list)
	return s.cost()
}

// tellOrphaned tells of a sliced content that goes with a response, unless another one of the list still leads to it.
func (ix *index) tellOrphaned(s *slot, old *Response, list []*Response) {
	of := old.slices()
	if of != nil && !slices.ContainsFunc(list, func(r *Response) bool { return r.ofGeneration(of) }) {
		ix.orphaned(s.key, of)
	}
}

// publish lets readers find a slot's newest response, or nothing when there is none. The shard is locked.
func (sh *shard) publish(s *slot, list []*Response) {
	t := sh.table.Load()
	if len(list) == 0 {
		t.clear(s.hash)
		return
	}
	list[0].several.Store(len(list) > 1)
	if t.crowded() {
		t = t.grown()
		sh.table.Store(t)
	}
	t.set(list[0])
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

// each calls f for every slot. A slot that comes meanwhile may be missed.
func (ix *index) each(f func(*slot)) {
	for i := range ix.shards {
		ix.eachIn(i, f)
	}
}

// eachIn calls f for every slot of a shard.
func (ix *index) eachIn(shard int, f func(*slot)) {
	ix.shards[shard].table.Load().each(func(r *Response) { f(r.slot) })
}
