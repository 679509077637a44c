package memory

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

var _ cache.Residency = (*FIFO)(nil)

// shelf is an index as FIFO's user keeps it: what was admitted and not evicted since, and how often it was used.
type shelf struct {
	mu    sync.Mutex
	costs map[uint64]int64
	used  map[uint64]uint32
	f     *FIFO
}

func newShelf(limit int64) *shelf {
	s := &shelf{costs: make(map[uint64]int64), used: make(map[uint64]uint32), f: New(limit)}
	s.f.Start(s.evict, s.uses)
	return s
}

func (s *shelf) evict(hash uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.costs, hash)
	delete(s.used, hash)
}

func (s *shelf) uses(hash uint64) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.used[hash]
	s.used[hash] = max(n, 1) - 1
	return n
}

func (s *shelf) use(hash uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.costs[hash]; ok {
		s.used[hash] = min(s.used[hash]+1, 3)
	}
}

func (s *shelf) admit(hash uint64, cost int64) bool {
	s.mu.Lock()
	s.costs[hash] = cost
	s.mu.Unlock()
	if s.f.Admit(hash, cost) {
		return true
	}
	s.evict(hash)
	return false
}

// check tells what the shelf and FIFO disagree about.
func (s *shelf) check(t *testing.T) {
	t.Helper()
	total := int64(0)
	for hash, cost := range s.costs {
		total += cost
		if at := s.f.nodes.find(hash); at == 0 || s.f.nodes.at(at).cost != cost {
			t.Errorf("%x, which costs %d, is resident for ever", hash, cost)
		}
	}
	if got := s.f.small.bytes + s.f.main.bytes; got != total || got > s.f.limit || s.f.nodes.count != len(s.costs) {
		t.Errorf("%d slots of %d bytes are accounted, and %d of %d there; the limit is %d",
			s.f.nodes.count, got, len(s.costs), total, s.f.limit)
	}
	for _, q := range []*queue{&s.f.small, &s.f.main} {
		if n := s.f.walk(q); n != q.bytes {
			t.Errorf("a queue of %d bytes accounts %d", n, q.bytes)
		}
	}
}

// walk adds up a queue from its end to its begin.
func (f *FIFO) walk(q *queue) (bytes int64) {
	for at := q.last; at != 0; at = f.nodes.at(at).prev {
		bytes += f.nodes.at(at).cost
	}
	return bytes
}

// TestFIFOAccounts: whatever comes, changes and goes, index and residency agree, and the limit is kept.
func TestFIFOAccounts(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := newShelf(1 << 20)
		for range 5000 {
			hash := mix(r.Uint64N(1000))
			switch r.IntN(10) {
			case 0:
				s.evict(hash)
				s.f.Remove(hash)
			case 1, 2, 3, 4:
				s.use(hash)
			case 5:
				s.admit(hash, r.Int64N(1<<19))
			case 6:
				if r.IntN(50) == 0 {
					s.f.Resize(1<<18 + r.Int64N(1<<20))
				}
			default:
				s.admit(hash, 1+r.Int64N(10_000))
			}
		}
		s.check(t)
	}
}

func TestFIFOUnderLoad(t *testing.T) {
	s := newShelf(1 << 20)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5000 {
				hash := mix(rand.Uint64N(500))
				switch rand.IntN(20) {
				case 0:
					s.f.Resize(1<<19 + rand.Int64N(1<<19))
				case 1:
					s.f.Remove(hash)
				case 2, 3, 4, 5:
					s.use(hash)
				default:
					s.admit(hash, 1+rand.Int64N(10_000))
				}
			}
		})
	}
	wg.Wait()
	if got := s.f.small.bytes + s.f.main.bytes; got > s.f.limit || got != s.f.walk(&s.f.small)+s.f.walk(&s.f.main) {
		t.Errorf("%d bytes are resident, the limit is %d", got, s.f.limit)
	}
}

// TestUsedStays: what was used once while it was new isn't pushed out by any number of slots that nobody wants again.
func TestUsedStays(t *testing.T) {
	s := newShelf(1000)
	for hash := range uint64(10) {
		s.admit(mix(hash), 10)
		s.use(mix(hash))
	}
	for hash := range uint64(10_000) {
		s.admit(mix(1000+hash), 10)
	}
	for hash := range uint64(10) {
		if s.costs[mix(hash)] == 0 {
			t.Errorf("%d is gone", hash)
		}
	}
	s.check(t)
}

// TestRemembered: what comes back soon after its probation is wanted after all.
func TestRemembered(t *testing.T) {
	s := newShelf(1000)
	for hash := range uint64(150) {
		s.admit(mix(hash), 10)
	}
	if s.costs[mix(0)] != 0 {
		t.Fatal("the first is still there")
	}
	s.admit(mix(0), 10)
	for hash := range uint64(10_000) {
		s.admit(mix(1000+hash), 10)
	}
	if s.costs[mix(0)] == 0 {
		t.Error("what came back is gone again")
	}
}

func TestResize(t *testing.T) {
	s := newShelf(100 << 20)
	for hash := range uint64(100) {
		s.admit(mix(hash), 1<<20)
		s.use(mix(hash))
	}
	s.f.Resize(10 << 20)
	if len(s.costs) != 10 {
		t.Errorf("%d of 10 are left", len(s.costs))
	}
	s.check(t)
	s.f.Resize(100 << 20)
	for hash := range uint64(100) {
		s.admit(mix(hash), 1<<20)
	}
	if len(s.costs) != 100 {
		t.Errorf("%d of 100 are there", len(s.costs))
	}
	s.f.Resize(0)
	if s.check(t); len(s.costs) != 0 {
		t.Errorf("%d are left of nothing", len(s.costs))
	}
}

func TestTooLarge(t *testing.T) {
	s := newShelf(3000)
	if !s.admit(1, s.f.Limit()) || s.costs[1] == 0 {
		t.Error("the limit was refused")
	}
	if s.admit(1, s.f.Limit()+1) {
		t.Error("more than the limit was taken")
	}
	s.check(t)
}

// TestAllUsed: Admit looks for a victim only so long.
func TestAllUsed(t *testing.T) {
	s := newShelf(1 << 20)
	for hash := range uint64(1 << 16) {
		s.admit(mix(hash), 16)
		s.use(mix(hash))
	}
	for range 100 { // probation ends for those that were used
		s.admit(mix(1<<20), 100_000)
		s.f.Remove(mix(1 << 20))
	}
	asked := 0
	s.f.Start(s.evict, func(uint64) uint32 { asked++; return 3 })
	s.f.Resize(s.f.small.bytes + s.f.main.bytes - 16)
	if asked > 2*maxSecondChances {
		t.Errorf("%d slots were looked at for one", asked)
	}
}

func TestGhostsAgainstList(t *testing.T) {
	var g ghosts
	var list []uint64
	const slots = 2000
	known, strangers := 0, 0
	for i := range uint64(20_000) {
		g.add(mix(i), slots)
		list = append(list, mix(i))
	}
	for _, hash := range list {
		recent := slices.Contains(list[len(list)-slots:], hash)
		switch is := g.take(hash, slots); {
		case is && !recent:
			strangers++
		case is:
			known++
		}
	}
	if known < slots*8/10 || strangers > 0 {
		t.Errorf("%d of %d are remembered, and %d that are long gone", known, slots, strangers)
	}
	if g.take(list[len(list)-1], slots) {
		t.Error("remembered twice")
	}
}

// TestHitRatio: FIFO hits within a point of what LRU and S3-FIFO by the book do, and at a tenth of the memory.
func TestHitRatio(t *testing.T) {
	for _, trace := range traces(20_000) {
		limit, requests := int64(trace.capacity*float64(trace.bytes)), trace.draw(200_000)
		best, _ := ratios(newLRU(limit), requests)
		book, _ := ratios(newS3FIFO(limit), requests)
		got, _ := ratios(newResident(New(limit), limit), requests)
		if got < max(best, book)-0.01 {
			t.Errorf("%s at %v: %.3f; LRU has %.3f, S3-FIFO by the book %.3f", trace.name, trace.capacity, got, best, book)
		}
	}
}
