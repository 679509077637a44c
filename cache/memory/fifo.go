package memory

import "sync"

const (
	// probation is the part of the limit that new slots share until they are used again; the rest is for those that
	// were.
	probation = 0.1
	// maxSecondChances bounds how many slots are looked at for one that goes, and with it how long Admit takes.
	maxSecondChances = 1000
)

// FIFO fulfils cache.Residency by S3-FIFO (Yang et al., SOSP 2023), with costs: a slot begins in a small queue. The
// eviction that finds it at the end of that, and used meanwhile, moves it to the main queue; one that was never used
// goes, and is remembered, so that it begins in the main queue if it comes back soon. Whoever reaches the end of the
// main queue and was used goes round once more.
//
// Uses are counted where a hit reads anyway, and asked for only here: a hit costs the residency nothing.
//
// Its methods may be called concurrently, except Start and Close.
type FIFO struct {
	evict func(hash uint64)
	uses  func(hash uint64) uint32

	mu          sync.Mutex // guards the following fields
	limit       int64
	nodes       nodes
	small, main queue
	ghosts      ghosts
}

// New returns a residency for that many bytes.
func New(limit int64) *FIFO {
	return &FIFO{limit: limit, nodes: newNodes()}
}

// Start names the functions that take a slot out of the index, and that tell how often it was used, lowering that by one.
func (f *FIFO) Start(evict func(hash uint64), uses func(hash uint64) uint32) {
	f.evict, f.uses = evict, uses
}

// Admit tells that the slot costs so many bytes; false when it costs too much.
func (f *FIFO) Admit(hash uint64, cost int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cost > f.largest() {
		f.remove(hash)
		return false
	}
	if at := f.nodes.find(hash); at != 0 {
		f.charge(at, cost)
	} else {
		f.insert(hash, cost)
	}
	f.shrink()
	return true
}

func (f *FIFO) insert(hash uint64, cost int64) {
	at := f.nodes.add(hash)
	n := f.nodes.at(at)
	n.main, n.cost = f.ghosts.take(hash, f.nodes.count), cost
	f.queue(n).push(&f.nodes, at)
}

// charge changes what a node costs.
func (f *FIFO) charge(at uint32, cost int64) {
	n := f.nodes.at(at)
	f.queue(n).bytes += cost - n.cost
	n.cost = cost
}

func (f *FIFO) queue(n *node) *queue {
	if n.main {
		return &f.main
	}
	return &f.small
}

// Remove forgets a slot.
func (f *FIFO) Remove(hash uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(hash)
}

func (f *FIFO) remove(hash uint64) {
	if at := f.nodes.find(hash); at != 0 {
		f.drop(at)
	}
}

func (f *FIFO) drop(at uint32) {
	f.queue(f.nodes.at(at)).unlink(&f.nodes, at)
	f.nodes.remove(at)
}

// shrink evicts until the limit is kept.
func (f *FIFO) shrink() {
	for f.small.bytes+f.main.bytes > f.limit {
		if f.main.last == 0 || float64(f.small.bytes) > probation*float64(f.limit) {
			f.endProbation()
		} else {
			f.evictMain()
		}
	}
}

// endProbation decides over the oldest slot of the small queue.
func (f *FIFO) endProbation() {
	at := f.small.last
	n := f.nodes.at(at)
	if f.uses(n.hash) > 0 {
		f.small.unlink(&f.nodes, at)
		n.main = true
		f.main.push(&f.nodes, at)
		return
	}
	f.ghosts.add(n.hash, f.nodes.count)
	f.evict(n.hash)
	f.drop(at)
}

// evictMain evicts the oldest slot of the main queue that was not used since it was last looked at.
func (f *FIFO) evictMain() {
	for range maxSecondChances {
		at := f.main.last
		if f.uses(f.nodes.at(at).hash) == 0 {
			break
		}
		f.main.unlink(&f.nodes, at)
		f.main.push(&f.nodes, at)
	}
	f.evict(f.nodes.at(f.main.last).hash)
	f.drop(f.main.last)
}

// Limit is the largest cost that is taken, in bytes.
func (f *FIFO) Limit() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.largest()
}

// largest is a third: one content may not push out everything else.
func (f *FIFO) largest() int64 { return f.limit / 3 }

// Resize changes the limit, in bytes, and evicts what is beyond it, some at a time so that it delays nobody for long.
func (f *FIFO) Resize(limit int64) {
	for done := false; !done; {
		done = f.resize(limit)
	}
}

// resizeStep is how much a step evicts at most, in bytes.
const resizeStep = 4 << 20

func (f *FIFO) resize(limit int64) (done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit = max(limit, min(f.limit, f.small.bytes+f.main.bytes-resizeStep))
	f.shrink()
	return f.limit == limit
}

// Close does nothing: there is nothing to end.
func (f *FIFO) Close() {}
