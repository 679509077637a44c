package memory

import (
	"container/list"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

// policy is a cache of costs, to be measured by a trace.
type policy interface {
	// get tells whether the hash is there, and brings it in if not.
	get(hash uint64, cost int64) bool
	close()
}

// resident measures a residency as the cache uses it: an index beside it, which counts uses.
type resident struct {
	r     cache.Residency
	touch func(hash uint64)
	wait  func()

	mu   sync.Mutex // guards uses
	uses map[uint64]uint32
}

func newResident(r cache.Residency, limit int64) *resident {
	p := &resident{r: r, uses: make(map[uint64]uint32), touch: func(uint64) {}, wait: func() {}}
	if t, ok := r.(cache.Toucher); ok {
		p.touch = t.Touch
	}
	if l, ok := r.(*Ristretto); ok {
		p.wait = func() { l.small.store.Wait() }
	}
	r.Start(p.evict, p.spend)
	r.Resize(limit)
	return p
}

func (p *resident) evict(hash uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.uses, hash)
}

func (p *resident) spend(hash uint64) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.uses[hash]
	if n > 0 {
		p.uses[hash] = n - 1
	}
	return n
}

func (p *resident) get(hash uint64, cost int64) bool {
	if p.use(hash) {
		p.touch(hash)
		return true
	}
	if !p.r.Admit(hash, cost) {
		p.evict(hash)
	}
	p.wait() // as a fill takes its time
	return false
}

// use counts a use; what isn't there comes in.
func (p *resident) use(hash uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.uses[hash]
	if ok {
		n = min(n+1, 3)
	}
	p.uses[hash] = n
	return ok
}

func (p *resident) close() { p.r.Close() }

// lru is the least recently used, as a measure.
type lru struct {
	limit, bytes int64
	order        list.List
	at           map[uint64]*list.Element
}

type item struct {
	hash uint64
	cost int64
	uses int
}

func newLRU(limit int64) *lru { return &lru{limit: limit, at: make(map[uint64]*list.Element)} }

func (p *lru) get(hash uint64, cost int64) bool {
	if e := p.at[hash]; e != nil {
		p.order.MoveToFront(e)
		return true
	}
	p.at[hash] = p.order.PushFront(&item{hash: hash, cost: cost})
	for p.bytes += cost; p.bytes > p.limit; {
		i := p.order.Remove(p.order.Back()).(*item)
		delete(p.at, i.hash)
		p.bytes -= i.cost
	}
	return false
}

func (p *lru) close() {}

// s3fifo is S3-FIFO as its paper has it, exact and by the book, as a measure.
type s3fifo struct {
	limit              int64
	small, main, ghost fifo
	at                 map[uint64]*item
}

type fifo struct {
	order list.List
	bytes int64
	at    map[uint64]*list.Element
}

func (f *fifo) push(i *item) {
	if f.at == nil {
		f.at = make(map[uint64]*list.Element)
	}
	f.at[i.hash] = f.order.PushFront(i)
	f.bytes += i.cost
}

func (f *fifo) pop() *item {
	i := f.order.Remove(f.order.Back()).(*item)
	delete(f.at, i.hash)
	f.bytes -= i.cost
	return i
}

func newS3FIFO(limit int64) *s3fifo { return &s3fifo{limit: limit, at: make(map[uint64]*item)} }

func (p *s3fifo) get(hash uint64, cost int64) bool {
	if i := p.at[hash]; i != nil {
		i.uses = min(i.uses+1, 3)
		return true
	}
	i := &item{hash: hash, cost: cost}
	p.at[hash] = i
	if e := p.ghost.at[hash]; e != nil {
		p.ghost.order.Remove(e)
		delete(p.ghost.at, hash)
		p.ghost.bytes -= cost
		p.main.push(i)
	} else {
		p.small.push(i)
	}
	for p.small.bytes+p.main.bytes > p.limit {
		if p.small.bytes > p.limit/10 || p.main.order.Len() == 0 {
			p.evictSmall()
		} else {
			p.evictMain()
		}
	}
	return false
}

func (p *s3fifo) evictSmall() {
	i := p.small.pop()
	if i.uses > 1 {
		i.uses = 0
		p.main.push(i)
		return
	}
	delete(p.at, i.hash)
	p.ghost.push(i)
	for p.ghost.bytes > p.limit*9/10 {
		p.ghost.pop()
	}
}

func (p *s3fifo) evictMain() {
	for {
		i := p.main.pop()
		if i.uses == 0 {
			delete(p.at, i.hash)
			return
		}
		i.uses--
		p.main.push(i)
	}
}

func (p *s3fifo) close() {}

// trace is a workload over some keys.
type trace struct {
	name     string
	capacity float64 // part of all keys' bytes
	next     func() (key uint64, cost int64)
	bytes    int64 // of all keys
}

// zipf draws from n keys, of which the k-th is asked for in proportion to k^-s.
func zipf(r *rand.Rand, n int, s float64) func() uint64 {
	sums := make([]float64, n)
	sum := 0.
	for k := range n {
		sum += math.Pow(float64(k+1), -s)
		sums[k] = sum
	}
	return func() uint64 {
		x := r.Float64() * sum
		low, high := 0, n-1
		for low < high {
			if mid := (low + high) / 2; sums[mid] < x {
				low = mid + 1
			} else {
				high = mid
			}
		}
		return uint64(low)
	}
}

func one(next func() uint64) func() (uint64, int64) {
	return func() (uint64, int64) { return next(), smallMean }
}

// drifting moves the popular keys on, and lets 3 of 10 requests be for keys that nobody asks for again.
func drifting(r *rand.Rand, n int) func() uint64 {
	draw, requests, wonder := zipf(r, n, 0.9), uint64(0), uint64(1)<<40
	return func() uint64 {
		requests++
		if r.IntN(10) < 3 {
			wonder++
			return wonder
		}
		return (draw() + requests/200) % uint64(n)
	}
}

// sizeOf is a content's size as those of a CDN are: lognormal, 25 KB on average, and most of them small.
func sizeOf(key uint64) int64 {
	r := rand.New(rand.NewPCG(key, 7))
	return int64(math.Exp(8.8+1.6*r.NormFloat64())) + 700
}

func sized(next func() uint64) func() (uint64, int64) {
	return func() (uint64, int64) { key := next(); return key, sizeOf(key) }
}

func traces(n int) []trace {
	r := rand.New(rand.NewPCG(1, 1))
	sizes := int64(0)
	for k := range n {
		sizes += sizeOf(uint64(k))
	}
	flat := int64(n) * smallMean
	return []trace{
		{"zipf 0.99", 0.01, one(zipf(r, n, 0.99)), flat},
		{"zipf 0.99", 0.10, one(zipf(r, n, 0.99)), flat},
		{"drifting zipf 0.9, 30% one-hit", 0.10, one(drifting(r, n)), flat},
		{"CDN sizes, zipf 0.8", 0.02, sized(zipf(r, n, 0.8)), sizes},
		{"CDN sizes, zipf 0.8", 0.10, sized(zipf(r, n, 0.8)), sizes},
	}
}

type request struct {
	hash uint64
	cost int64
}

func (t *trace) draw(n int) []request {
	requests := make([]request, n)
	for i := range requests {
		key, cost := t.next()
		requests[i] = request{mix(key), cost}
	}
	return requests
}

// mix spreads keys over the hashes as the cache's own hash does.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ratios replays a trace, the first half to warm up.
func ratios(p policy, requests []request) (object, byBytes float64) {
	defer p.close()
	var hits, bytes, hitBytes int64
	for i, q := range requests {
		hit := p.get(q.hash, q.cost)
		if i < len(requests)/2 {
			continue
		}
		bytes += q.cost
		if hit {
			hits++
			hitBytes += q.cost
		}
	}
	return float64(hits) / float64(len(requests)-len(requests)/2), float64(hitBytes) / float64(bytes)
}

var policies = []struct {
	name string
	make func(limit int64) policy
}{
	{"LRU", func(n int64) policy { return newLRU(n) }},
	{"S3-FIFO by the book", func(n int64) policy { return newS3FIFO(n) }},
	{"FIFO", func(n int64) policy { return newResident(New(n), n) }},
	{"Ristretto", func(n int64) policy { return newResident(NewRistretto(n), n) }},
	{"Ristretto, all for the small class", func(n int64) policy { return newResident(NewRistretto(n*3/2), n*3/2) }},
}

// BenchmarkHitRatio compares what the residencies hit: of objects, and of bytes.
func BenchmarkHitRatio(b *testing.B) {
	const keys, requests = 200_000, 2_000_000
	for _, t := range traces(keys) {
		replay := t.draw(requests)
		for _, p := range policies {
			b.Run(fmt.Sprintf("%s/%v%%/%s", t.name, 100*t.capacity, p.name), func(b *testing.B) {
				for b.Loop() {
					object, bytes := ratios(p.make(int64(t.capacity*float64(t.bytes))), replay)
					b.ReportMetric(object, "object-hits")
					b.ReportMetric(bytes, "byte-hits")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
