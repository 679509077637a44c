package cache

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// recallWait bounds how long a request waits for the heads of a key's records: then the origin is asked.
	recallWait = 2 * time.Second
	// clockSkew is how far a record may come from the future: the clock was set back a little meanwhile.
	clockSkew = 10 * time.Second
)

// recall is one load of what the store has of a key. All requests for the key wait for it.
type recall struct {
	done  chan struct{}
	list  []*Response // newest first; set before done is closed
	since uint64      // the purge sequence when it began

	doomed bool // the key was invalidated; guarded by recalls.mu
}

// recalls are those that are under way.
type recalls struct {
	mu   sync.Mutex // guards the following field
	open map[ID]*recall
}

// join returns the recall of a key, and whether it is the caller who has to load.
func (t *recalls) join(id ID, since func() uint64) (r *recall, leads bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.open[id]; r != nil {
		return r, false
	}
	r = &recall{done: make(chan struct{}), since: since()}
	t.open[id] = r
	return r, true
}

// finish ends a recall with what it found, which enter puts into the index unless the key was invalidated.
func (t *recalls) finish(id ID, r *recall, list []*Response, enter func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer close(r.done)
	if r.doomed {
		return
	}
	delete(t.open, id)
	r.list = list
	enter()
}

// doom makes what is loaded of a key be nothing.
func (t *recalls) doom(id ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.open[id]; r != nil {
		r.doomed = true
		delete(t.open, id)
	}
}

func (t *recalls) has(id ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[id] != nil
}

// oldest is the purge sequence at the begin of the oldest recall.
func (t *recalls) oldest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest := uint64(math.MaxUint64)
	for _, r := range t.open {
		oldest = min(oldest, r.since)
	}
	return oldest
}

// recall looks in the store for what memory doesn't have. It takes what it finds into the index. absent tells that memory
// had nothing of the key a moment ago: if it has now, another's recall has just ended, and this one needn't begin.
func (c *Cache) recall(ctx context.Context, hash uint64, key []byte, absent bool) []*Response {
	id := idOf(key)
	if !c.tier.store.Has(id) {
		return nil
	}
	r, leads := c.tier.recalls.join(id, c.purges.last.Load)
	switch came := c.living(hash, key); {
	case leads && absent && len(came) > 0:
		c.tier.recalls.finish(id, r, came, func() {})
	case leads:
		c.load(id, hash, string(key), r)
	}
	select {
	case <-r.done:
		return r.list
	case <-ctx.Done():
		return nil
	}
}

// living are the responses in memory that no purge has killed.
func (c *Cache) living(hash uint64, key []byte) []*Response {
	s := c.index.get(hash, key)
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.list()), func(r *Response) bool { return !c.alive(r) })
}

// load carries a recall out, whatever becomes of the request that began it.
func (c *Cache) load(id ID, hash uint64, key string, r *recall) {
	var list []*Response
	defer func() { // also when the store panics: others wait
		c.tier.recalls.finish(id, r, list, func() { c.enter(hash, key, list) })
	}()
	ctx, cancel := context.WithTimeout(c.work.ctx, recallWait)
	defer cancel()
	c.figures.loads.Add(1)
	records := c.tier.store.Load(ctx, id, key)
	for i := range records {
		if s := c.revive(&records[i]); s != nil {
			list = append(list, s)
		}
	}
	if len(records) > 0 && len(list) == 0 {
		c.tier.store.Delete(id) // so that nobody looks again in vain
	}
}

// enter puts what was loaded into the index beside what came there meanwhile.
func (c *Cache) enter(hash uint64, key string, list []*Response) {
	if cost, ok := c.index.restore(hash, key, list); ok {
		c.admit(hash, cost)
	}
}

// revive makes a stored response of a record; nil when it can't be used any more.
func (c *Cache) revive(r *Record) *Response {
	s, now := parseMeta(r.Meta), time.Now()
	if s == nil {
		c.figures.loadErrors.Add(1)
		c.log.Debug("a record isn't understood", "key", r.Key, "octets", len(r.Meta))
		return nil
	}
	s.born = r.Born
	if !s.Sliced() {
		s.content, s.length = &shelved{Content: r.Content}, r.Content.Size()
	}
	s.kept.Store(true)
	if c.options.Load().Preset == Safe && s.setsCookie() || s.figures.received.Sub(now) > clockSkew || !s.usefulAt(now) {
		return nil
	}
	hard, soft := c.tier.past.since(r.ID, r.Key, s.tags, s.born)
	if hard || !c.purges.alive(r.Key, s) {
		return nil
	}
	if soft {
		s.soft.Store(true)
	}
	c.coder.Load().enable(s)
	return s
}

// usefulAt tells whether a response can be used from now on: fresh, stale, or once validated. A slice is as useful as
// its head.
func (s *Response) usefulAt(now time.Time) bool {
	f := &s.figures
	return s.validates() || s.isSlice() || f.lifetime+max(f.whileRevalidate, f.ifError) > f.age(now)
}

// recall looks for the request in the store.
func (x *exchange) recall() {
	list := x.c.recall(x.r.Context(), x.hash, x.key, x.found.Fwd == FwdURIMiss)
	if len(list) == 0 {
		return
	}
	now := time.Now()
	// Others may have stored what is newer.
	if x.found = x.c.lookup(x.hash, x.key, x.preset, &x.query, now); x.found.State != Miss {
		return
	}
	if s := x.c.chooseOf(list, string(x.key), x.query.fields); s != nil {
		x.found = judge(x.preset, &x.query, s, now)
	}
}

// chooseOf is choose where the responses may have left the index again.
func (c *Cache) chooseOf(list []*Response, key string, f FieldReader) (chosen *Response) {
	for _, r := range list {
		if (chosen == nil || preferred(r, chosen)) && selects(r.vary, f) && c.purges.alive(key, r) {
			chosen = r
		}
	}
	return chosen
}
