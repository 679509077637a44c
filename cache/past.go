package cache

import (
	"encoding/binary"
	"strings"
	"sync"
)

// maxPast bounds what is remembered of purges. Beyond it one purge of all that was stored before stands for them.
const maxPast = 1 << 20

// past is what was purged since the oldest record of the store was asked for: what is loaded is held against it. Hits
// in memory have nothing to do with it; see purges.
type past struct {
	most int

	mu       sync.RWMutex // guards the following fields
	keys     map[ID]purgedAt
	tags     map[uint64]purgedAt
	prefixes map[string]purgedAt
	lengths  map[int]int // how many of the prefixes have a length
}

// purgedAt are the sequences of the last purges of something, 0 for none.
type purgedAt struct{ hard, soft uint64 }

func (a purgedAt) with(n *purgeNote) purgedAt {
	if n.soft {
		a.soft = max(a.soft, n.seq)
	} else {
		a.hard = max(a.hard, n.seq)
	}
	return a
}

// without forgets what is not after seq.
func (a purgedAt) without(seq uint64) purgedAt {
	if a.hard <= seq {
		a.hard = 0
	}
	if a.soft <= seq {
		a.soft = 0
	}
	return a
}

func newPast(most int) *past {
	p := &past{most: most}
	p.clear()
	return p
}

func (p *past) clear() {
	p.keys, p.tags = make(map[ID]purgedAt), make(map[uint64]purgedAt)
	p.prefixes, p.lengths = make(map[string]purgedAt), make(map[int]int)
}

// add remembers a purge. When there are too many it tells the one that stands for all from now on.
func (p *past) add(n purgeNote) (instead *purgeNote) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter(&n)
	if len(p.keys)+len(p.tags)+len(p.prefixes) <= p.most {
		return nil
	}
	all := noteOfPrefix(prefixPurge{seq: n.seq})
	p.enter(&all)
	return &all
}

// enter adds a purge. The lock is held.
func (p *past) enter(n *purgeNote) {
	switch n.kind {
	case purgedKey:
		id := ID([]byte(n.what))
		p.keys[id] = p.keys[id].with(n)
	case purgedTag:
		tag := binary.BigEndian.Uint64([]byte(n.what))
		p.tags[tag] = p.tags[tag].with(n)
	case purgedPrefix:
		if n.ofAll() {
			p.drop(n.seq)
		}
		if _, known := p.prefixes[n.what]; !known {
			p.lengths[len(n.what)]++
		}
		p.prefixes[n.what] = p.prefixes[n.what].with(n)
	}
}

// since tells which purges concern a record that was asked for at born.
func (p *past) since(id ID, key string, tags []uint64, born uint64) (hard, soft bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	last := p.keys[id]
	for _, tag := range tags {
		last = last.or(p.tags[tag])
	}
	last = last.or(p.ofPrefixes(key))
	_, rest, _ := strings.Cut(key, "://")
	last = last.or(p.ofPrefixes(rest))
	return last.hard > born, last.soft > born
}

func (a purgedAt) or(b purgedAt) purgedAt { return purgedAt{max(a.hard, b.hard), max(a.soft, b.soft)} }

// ofPrefixes looks up the beginnings of a key that are as long as a prefix. The lock is held.
func (p *past) ofPrefixes(key string) (last purgedAt) {
	for length := range p.lengths {
		if length <= len(key) {
			last = last.or(p.prefixes[key[:length]])
		}
	}
	return last
}

// forget drops the purges up to seq.
func (p *past) forget(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(seq)
}

func (p *past) drop(seq uint64) {
	dropFrom(p.keys, seq)
	dropFrom(p.tags, seq)
	dropFrom(p.prefixes, seq)
	clear(p.lengths)
	for prefix := range p.prefixes {
		p.lengths[len(prefix)]++
	}
}

func dropFrom[K comparable](m map[K]purgedAt, seq uint64) {
	for k, at := range m {
		if at = at.without(seq); at == (purgedAt{}) {
			delete(m, k)
		} else {
			m[k] = at
		}
	}
}

// count is how many purges are remembered.
func (p *past) count() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.keys) + len(p.tags) + len(p.prefixes)
}
