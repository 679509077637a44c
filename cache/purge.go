package cache

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// purges is what was purged, as a sequence: a response that was asked for before a purge that concerns it is dead.
// So a purge costs the same however much it concerns, and also reaches fills that are under way. The check on a hit is
// one comparison as long as nothing is purged.
type purges struct {
	seq  atomic.Uint64 // of the last purge that concerns more than one key: what a hit compares with
	last atomic.Uint64 // of the last purge
	tags *tagIndex
	// forgotten is the last purge of which nothing is known any more: no fill in flight is older.
	forgotten atomic.Uint64

	remember func(purgeNote) // told of each purge, with the lock held; nil when no restart needs to know

	mu       sync.RWMutex // guards the following fields
	prefixes []prefixPurge
}

// prefixPurge is a purge by prefix; that of everything has the empty one.
type prefixPurge struct {
	prefix string // of "scheme://host/path", or of "host/path"
	soft   bool
	seq    uint64
}

func (p prefixPurge) concerns(key string) bool {
	if strings.HasPrefix(key, p.prefix) {
		return true
	}
	_, rest, _ := strings.Cut(key, "://")
	return strings.HasPrefix(rest, p.prefix)
}

// alive tells whether no purge has killed a stored response, and notes a soft one on it.
func (p *purges) alive(key string, r *Response) bool {
	seq := p.seq.Load()
	if r.checked.Load() == seq {
		return true
	}
	hard, soft := p.since(key, r.tags, r.born)
	if hard {
		return false
	}
	if soft {
		r.soft.Store(true)
	}
	r.checked.Store(seq)
	return true
}

// since tells which purges concern a response that was asked for at born.
func (p *purges) since(key string, tags []uint64, born uint64) (hard, soft bool) {
	hard, soft = p.tags.since(tags, born)
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, purge := range p.prefixes {
		if purge.seq > born && purge.concerns(key) {
			hard = hard || !purge.soft
			soft = soft || purge.soft
		}
	}
	return hard, soft
}

// addTag notes a purge, and returns how many responses it concerns.
func (p *purges) addTag(tag uint64, soft bool) (count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seq := p.last.Add(1)
	if p.remember != nil {
		p.remember(noteOfTag(tag, soft, seq))
	}
	count = p.tags.purge(tag, seq, soft)
	p.seq.Store(seq)
	return count
}

// addPrefix notes a purge. It takes the place of those that it covers.
func (p *purges) addPrefix(purge prefixPurge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	purge.seq = p.last.Add(1)
	if p.remember != nil {
		p.remember(noteOfPrefix(purge))
	}
	p.seq.Store(purge.seq)
	p.prefixes = slices.DeleteFunc(p.prefixes, func(old prefixPurge) bool {
		return strings.HasPrefix(old.prefix, purge.prefix) && (old.soft || !purge.soft)
	})
	p.prefixes = append(p.prefixes, purge)
}

// spares tells whether no purge kills what was asked for at born, also when that has been out of flight for so long that
// purges may be forgotten since.
func (p *purges) spares(key string, tags []uint64, born uint64) bool {
	hard, _ := p.since(key, tags, born)
	return !hard && born >= p.forgotten.Load()
}

// forget drops the purges up to seq, which no response needs any more.
func (p *purges) forget(seq uint64) {
	p.forgotten.Store(max(seq, p.forgotten.Load())) // before anything is dropped, see spares
	p.tags.forget(seq)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prefixes = slices.DeleteFunc(p.prefixes, func(purge prefixPurge) bool { return purge.seq <= seq })
}

func keyOfURL(s string) ([]byte, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("purge: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("purge: %q is not a whole http or https URL", s)
	}
	return AppendKey(nil, u.Scheme, u.Host, writtenPath(s), u.RawQuery, u.RawQuery != "" || u.ForceQuery), nil
}

// writtenPath is the path of a whole URL, octet for octet, as keys have it.
func writtenPath(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return ""
}

// normalPrefix brings scheme and host into the form that keys have.
func normalPrefix(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	host, path, slash := strings.Cut(rest, "/")
	host = string(appendAuthority(nil, strings.ToLower(scheme), host))
	if ok {
		host = strings.ToLower(scheme) + "://" + host
	}
	if slash {
		host += "/" + path
	}
	return host
}

func (c *Cache) purgeTag(tag uint64, soft bool) int {
	count := c.purges.addTag(tag, soft)
	c.sweep()
	return count
}

func (c *Cache) purgeAll(soft bool) int {
	count := int(c.index.responses.Load())
	c.purges.addPrefix(prefixPurge{soft: soft})
	c.sweep()
	return count
}

func (c *Cache) purgePrefix(prefix string, soft bool) (count int) {
	purge := prefixPurge{prefix: prefix, soft: soft}
	c.purges.addPrefix(purge)
	c.index.each(func(s *slot) {
		if purge.concerns(s.key) {
			count += len(s.list())
		}
	})
	c.sweep()
	return count
}

// purgeKey purges what is stored for a target URI, under whatever further parts of the key.
func (c *Cache) purgeKey(key []byte, soft bool) (count int) {
	count = c.purgeSlot(key, soft)
	if same := c.searches.canonical(key); len(same) != len(key) {
		count += c.purgeMemory(same, soft) + c.purgeParts(same, soft)
	}
	return count + c.purgeParts(key, soft)
}

// purgeParts purges what is stored for a target URI under keys with further parts.
func (c *Cache) purgeParts(key []byte, soft bool) (count int) {
	parts := string(uriOf(key)) + string(keyPart)
	switch {
	case c.keyParts.Load():
		count += c.purgePrefix(parts, soft)
	case c.tier != nil: // an earlier configuration may have had some
		c.remember(noteOfPrefix(prefixPurge{parts, soft, c.purges.last.Add(1)}))
	}
	return count
}

// purgeSlot takes out what is stored for a key, or makes it stale, in memory and in the store.
func (c *Cache) purgeSlot(key []byte, soft bool) (count int) {
	if c.tier == nil {
		return c.purgeMemory(key, soft)
	}
	c.forgetKey(key, soft)
	count = c.purgeMemory(key, soft)
	if !soft {
		c.tier.store.Delete(idOf(key))
	}
	return count
}

// purgeMemory takes out one slot, or makes it stale, and lets no fill in flight bring it back.
func (c *Cache) purgeMemory(key []byte, soft bool) (count int) {
	hash := c.index.hash(key)
	c.flights.doom(string(key))
	if soft {
		if s := c.index.get(hash, key); s != nil {
			for _, r := range s.list() {
				r.soft.Store(true)
				count++
			}
		}
		return count
	}
	return c.discard(hash, string(key), func(*Response) bool { return true })
}

// discard takes responses out of the index, and tells the residency when their slot went with them.
func (c *Cache) discard(hash uint64, key string, drop func(*Response) bool) int {
	count, gone := c.index.remove(hash, key, drop)
	if !gone {
		return count
	}
	c.residency.Remove(hash)
	// Another fill may have stored under the same hash before the residency forgot it.
	if cost := c.index.cost(hash); cost > 0 && !c.residency.Admit(hash, cost) {
		c.evict(hash)
	}
	return count
}
