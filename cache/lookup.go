package cache

import "time"

// State is what a lookup found.
type State uint8

// The states.
const (
	// Miss: nothing that is stored matches.
	Miss State = iota
	// Fresh: the response may be used.
	Fresh
	// Stale: it may be used as the client allows.
	Stale
	// StaleWhileRevalidate: it may be used; who uses it sees to its validation, RFC 5861 §3.
	StaleWhileRevalidate
	// Validate: it may be used once the origin has said that it hasn't changed.
	Validate
)

// Found is the result of a lookup.
type Found struct {
	State    State
	Response *Response     // nil for a miss
	Answer   *Response     // of a hit: what the client gets of it, the response itself or an encoded form
	Age      time.Duration // its current age
	TTL      time.Duration // what is left of its lifetime, negative once stale
	Fwd      Fwd           // why the origin must be asked; empty when it needn't
}

// Hit tells whether the response may be used as it is.
func (f *Found) Hit() bool { return f.State != Miss && f.State != Validate }

// Lookup finds what is stored for a GET or HEAD with that key and those fields, RFC 9111 §4. key comes from
// Policy.AppendKey. It allocates nothing and touches no header map; Answer is then ready to be written. Encoded forms are
// there once ServeHTTP was asked for them; a request with Range gets none.
func (c *Cache) Lookup(key []byte, fields FieldReader, now time.Time) Found {
	key = c.searches.canonical(key)
	head := c.index.find(c.index.hash(key), key) // first: memory is fetched while the request is parsed
	o := c.options.Load()
	p, q := o.Preset, parseRequest(o.honours(), fields)
	found := c.judge(head, p, &q, now)
	if found.Hit() {
		found.Answer = c.answerOf(found.Response, &q)
	}
	return found
}

func (c *Cache) lookup(hash uint64, key []byte, p Preset, q *request, now time.Time) Found {
	return c.judge(c.index.find(hash, key), p, q, now)
}

// judge chooses among a slot's variants, of which head is the newest, and decides what may be done with it.
func (c *Cache) judge(head *Response, p Preset, q *request, now time.Time) Found {
	if head == nil {
		return Found{Fwd: FwdURIMiss}
	}
	r := c.choose(head, q.fields)
	if r == nil {
		return Found{Fwd: c.missOf(head)}
	}
	if r.use() && c.tier != nil {
		c.offerAgain(r)
	}
	if c.toucher != nil {
		c.toucher.Touch(r.hash)
	}
	return judge(p, q, r, now)
}

// missOf says why nothing was chosen: what a purge took is as good as not there.
func (c *Cache) missOf(head *Response) Fwd {
	for _, r := range head.slot.list() {
		if c.alive(r) {
			return FwdVaryMiss
		}
	}
	return FwdURIMiss
}

// choose returns the response that the request selects, RFC 9111 §4.1.
func (c *Cache) choose(head *Response, f FieldReader) (chosen *Response) {
	if !head.several.Load() {
		if selects(head.vary, f) && c.alive(head) {
			return head
		}
		return nil
	}
	for _, r := range head.slot.list() {
		if (chosen == nil || preferred(r, chosen)) && selects(r.vary, f) && c.alive(r) {
			chosen = r
		}
	}
	return chosen
}

// tagged returns the variants of a key that have an entity tag, RFC 9111 §4.3.1, no more than are worth asking about.
func (c *Cache) tagged(hash uint64, key []byte) (list []*Response) {
	s := c.index.get(hash, key)
	if s == nil {
		return nil
	}
	for _, r := range s.list() {
		if r.etag.Opaque != "" && len(list) < maxAsked && c.alive(r) {
			list = append(list, r)
		}
	}
	return list
}

// maxAsked bounds the entity tags in one request.
const maxAsked = 16

// alive tells whether no purge has killed a stored response. Most hits come after the last purge was held against it, and
// needn't know its key.
func (c *Cache) alive(r *Response) bool {
	return r.checked.Load() == c.purges.seq.Load() || c.purges.alive(r.slot.key, r)
}

// judge decides what may be done with the response.
func judge(p Preset, q *request, r *Response, now time.Time) Found {
	v, fwd := reuse(p, q, &r.figures, r.soft.Load(), now)
	age := r.figures.age(now)
	found := Found{State: Validate, Response: r, Age: age, TTL: r.figures.lifetime - age, Fwd: fwd}
	if r.soft.Load() {
		found.TTL = min(found.TTL, 0)
	}
	switch v {
	case verdictFresh:
		found.State = Fresh
	case verdictStale:
		found.State = Stale
	case verdictBehind:
		found.State = StaleWhileRevalidate
	}
	return found
}
