package memory

// node is a slot in a queue. Nodes name each other by their place in one array, without pointers: the garbage collector
// doesn't look at them, and a million take 32 MB.
type node struct {
	hash       uint64
	cost       int64
	prev, next uint32 // in its queue, 0 for none
	chain      uint32 // the next one in its hash bucket, or in the list of the free ones
	main       bool
}

// nodes finds nodes by their hash, in chains of buckets.
type nodes struct {
	all     []node // the first is none
	buckets []uint32
	free    uint32
	count   int
}

func newNodes() nodes { return nodes{all: make([]node, 1), buckets: make([]uint32, 1)} }

func (t *nodes) at(i uint32) *node { return &t.all[i] }

func (t *nodes) bucket(hash uint64) *uint32 { return &t.buckets[hash&uint64(len(t.buckets)-1)] }

// find returns the node of a hash, 0 for none.
func (t *nodes) find(hash uint64) uint32 {
	at := *t.bucket(hash)
	for at != 0 && t.all[at].hash != hash {
		at = t.all[at].chain
	}
	return at
}

// add makes a node for a hash that has none.
func (t *nodes) add(hash uint64) uint32 {
	if t.count >= len(t.buckets) {
		t.rehash(2 * len(t.buckets))
	}
	at := t.free
	if at != 0 {
		t.free = t.all[at].chain
	} else {
		at = uint32(len(t.all))
		t.all = append(t.all, node{})
	}
	t.count++
	b := t.bucket(hash)
	t.all[at] = node{hash: hash, chain: *b}
	*b = at
	return at
}

func (t *nodes) rehash(buckets int) {
	old := t.buckets
	t.buckets = make([]uint32, buckets)
	for _, at := range old {
		for at != 0 {
			n := &t.all[at]
			next, b := n.chain, t.bucket(n.hash)
			n.chain, *b = *b, at
			at = next
		}
	}
}

// remove frees a node, which is in no queue.
func (t *nodes) remove(at uint32) {
	p := t.bucket(t.all[at].hash)
	for *p != at {
		p = &t.all[*p].chain
	}
	*p = t.all[at].chain
	t.all[at] = node{chain: t.free}
	t.free = at
	t.count--
}

// queue is a list of nodes in the order they came; last is the next to go.
type queue struct {
	first, last uint32
	bytes       int64
}

func (q *queue) push(t *nodes, at uint32) {
	n := t.at(at)
	n.prev, n.next = 0, q.first
	if q.first != 0 {
		t.at(q.first).prev = at
	} else {
		q.last = at
	}
	q.first = at
	q.bytes += n.cost
}

func (q *queue) unlink(t *nodes, at uint32) {
	n := t.at(at)
	if n.prev != 0 {
		t.at(n.prev).next = n.next
	} else {
		q.first = n.next
	}
	if n.next != 0 {
		t.at(n.next).prev = n.prev
	} else {
		q.last = n.prev
	}
	q.bytes -= n.cost
}
