package cache

import (
	"net/http"
	"strings"
	"time"
)

const (
	// minKept is how long a response must stay fresh to be worth a write, in time.
	minKept = 10 * time.Second
	// maxRekept is how large a content is at most that is written again because a 304 changed what belongs to it, in
	// bytes. The record of a larger one stays as it was, and is validated when it is needed.
	maxRekept = 64 << 10
)

// tier is a store behind memory, and what the cache has to know about it:
//
//	fill ─▶ insert ─▶ index ─────────────────▶ hit
//	          │          │ used again      ▲
//	          └─▶ put ◀──┘                 │ recall: one load for all that wait
//	               ▼                       │ held against what was purged since
//	             Store ────────────────────┘
//	purge, invalidation ─▶ past ─▶ notes ─▶ Store: durable before a purge is acknowledged
//
// Memory evicts without a word to the store; what is invalidated, replaced or purged leaves both. What the store holds
// was put there while it was in the index, under the lock that guards this, so that an older response never follows a
// newer one.
type tier struct {
	store   Store
	past    *past
	recalls recalls
	notes   notes
}

// Option is a part of a cache that not every one has.
type Option func(*Cache)

// WithStore puts a store behind memory. It belongs to the cache from now on, which closes it.
func WithStore(s Store) Option {
	return func(c *Cache) {
		c.tier = &tier{store: s, past: newPast(maxPast), recalls: recalls{open: make(map[ID]*recall)}}
		c.purges.remember = c.remember
		c.replay(s)
	}
}

// WithStoreLater puts a store behind memory that Attach will bring. Until then there is none, and purges aren't durable.
func WithStoreLater() Option { return WithStore(&lateStore{}) }

// Attach brings the store of WithStoreLater, once. It belongs to the cache from now on.
func (c *Cache) Attach(s Store) {
	late := c.tier.store.(*lateStore)
	c.replay(s) // first: what is loaded must be held against it
	late.store.Store(&s)
	c.durableBehind()
}

// WithoutStore makes purges say that a store that belongs behind memory can't be used now, and why: what they take may be
// there again when it can.
func WithoutStore(why error) Option {
	return func(c *Cache) { c.storeless = why }
}

// added offers a response to the store that was just added to the index, and has the residency decide over its slot,
// which costs so much. What memory has no room for lives in the store alone; it stays in the index until it is written.
func (c *Cache) added(s *Response, cost int64) {
	c.figures.stored.Add(1)
	if c.tier == nil || c.fitsMemory(s.slot.key, s.cost()) {
		c.put(s, nil)
		c.admit(s.slot.hash, cost)
		return
	}
	drop := func() { c.discardFromMemory(s) }
	if !c.put(s, func(bool) { c.work.start(drop) }) {
		drop()
	}
}

func (c *Cache) fitsMemory(key string, cost int64) bool {
	return cost+int64(len(key)) <= c.residency.Limit()
}

// maxLength is the longest content that can be stored.
func (c *Cache) maxLength(key string) int64 {
	most := c.options.Load().MaxObject
	if c.tier == nil {
		most = min(most, c.residency.Limit()-responseOverhead-int64(len(key)))
	}
	return most
}

// put offers a response that is in the index to the store; false when it isn't taken, and then the store has nothing
// else of its key either. done may be nil; it isn't called when put returns false.
func (c *Cache) put(s *Response, done func(written bool)) bool {
	if c.tier == nil {
		return false
	}
	id := idOf([]byte(s.slot.key))
	taken := s.worthKeeping() && c.offer(id, s, done)
	if !taken && c.tier.store.Has(id) {
		c.tier.store.Delete(id) // else it would come back in place of this one
	}
	return taken
}

// offer offers a response that is worth it, while it is in the index.
func (c *Cache) offer(id ID, s *Response, done func(written bool)) (taken bool) {
	r := Record{ID: id, Key: s.slot.key, Variant: variantOf(s), Born: s.born, Meta: appendMeta(nil, s), Content: s.recordContent()}
	s.kept.Store(true)
	c.index.whileStored(s, func() {
		taken = c.tier.store.Put(r, func(written bool) {
			s.kept.CompareAndSwap(true, written)
			if done != nil {
				done(written)
			}
		})
	})
	if !taken {
		s.kept.Store(false)
	}
	return taken
}

// offerAgain offers a response that was used in memory for the first time since somebody asked: a store may wait for a
// second offer, or have lost the record meanwhile.
func (c *Cache) offerAgain(s *Response) {
	if _, inMemory := s.recordContent().(Pieces); !inMemory || !s.worthKeeping() {
		return
	}
	id := idOf([]byte(s.slot.key))
	if !s.kept.Load() || !c.tier.store.Has(id) {
		c.offer(id, s, nil)
	}
}

// worthKeeping tells whether a response is worth a write.
func (s *Response) worthKeeping() bool {
	f := &s.figures
	return !f.noCache && f.lifetime-f.age(time.Now()) >= minKept &&
		!strings.Contains(s.slot.key, searchPart)
}

// rekeep brings the store's record up to a response that was validated, where that is worth it. A record that isn't
// written again is stale, and says so.
func (c *Cache) rekeep(old, fresh *Response) {
	if c.tier == nil {
		return
	}
	content, inMemory := fresh.recordContent().(Pieces)
	switch {
	case inMemory && content.Size() <= maxRekept:
		c.put(fresh, nil)
	case joined(old.fields, "Cache-Control") == joined(fresh.fields, "Cache-Control"):
		fresh.kept.Store(old.kept.Load())
	case inMemory:
		c.put(fresh, nil)
	default: // the record may be used in ways that the origin doesn't want any more
		c.tier.store.Delete(idOf([]byte(fresh.slot.key)))
	}
}

// reenter stores a validated response whose slot was evicted meanwhile, unless it was purged.
func (c *Cache) reenter(t *target, fresh *Response) (cost int64, ok bool) {
	if c.tier == nil {
		return 0, false
	}
	hard, soft := c.tier.past.since(idOf([]byte(t.key)), t.key, fresh.tags, fresh.born)
	if hard || soft {
		return 0, false
	}
	return c.index.restore(t.hash, t.key, []*Response{fresh})
}

// discardFromMemory takes a response out of the index alone.
func (c *Cache) discardFromMemory(s *Response) int {
	return c.discard(s.slot.hash, s.slot.key, func(other *Response) bool { return other == s })
}

// forgetKey has the store forget a key that is invalidated, and remembers that: what is loaded just now, or is there
// again after a restart, is dead, or stale when soft. It comes before the key leaves the index.
func (c *Cache) forgetKey(key []byte, soft bool) {
	id := idOf(key)
	c.remember(noteOfKey(id, soft, c.purges.last.Add(1)))
	c.tier.recalls.doom(id)
}

// mayHold tells whether the store holds, or will hold, anything of a key.
func (t *tier) mayHold(key []byte, s *slot) bool {
	if t.store.Has(idOf(key)) || t.recalls.has(idOf(key)) {
		return true
	}
	if s != nil {
		for _, r := range s.list() {
			if r.kept.Load() {
				return true
			}
		}
	}
	return false
}

// setsCookie tells of a response that the preset Safe doesn't store.
func (s *Response) setsCookie() bool { return has(s.fields, http.CanonicalHeaderKey("Set-Cookie")) }
