package cache

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
	"github.com/anyedge/anyedge/cache/lifespan"
)

// fetch joins a fill that another request began, or begins one.
func fetch(x *exchange) step {
	if x.c.refusing.Load() {
		return refused
	}
	begin := func() *fill { return x.newFill(x.awaitInterim()) }
	if x.collapses() {
		unlessStored := func() *fill {
			if found := x.c.lookup(x.hash, x.key, x.preset, &x.query, x.looked); found.Hit() {
				return nil
			}
			return begin()
		}
		if x.fill, x.reader, x.leads = x.c.flights.join(x.keyText(), x.fits, unlessStored); x.fill == nil {
			return lookup
		}
	} else {
		x.fill, x.leads = begin(), true
		x.c.flights.enter(x.fill)
	}
	x.tries++
	if !x.leads {
		x.awaitInterim()
		return await
	}
	if !x.c.work.enter() { // the cache is closing
		x.fill.cancel()
		x.c.flights.remove(x.fill)
		return pass
	}
	return lead
}

// lead carries the fill out on the request's own goroutine until there is an answer. A content that hasn't come by then
// comes on another: the others that want it needn't wait for this client.
func lead(x *exchange) step {
	f := x.fill
	x.unwatch = lifespan.AtEnd(x.r.Context(), f.leaderLeft)
	if rest := f.begin(); rest != nil {
		x.reader = f.flow().leader
		go f.finish(rest) // ends with the content, or when nobody wants it any more; work waits for it
	} else {
		x.c.flights.remove(f)
		x.c.work.leave()
	}
	if x.r.Context().Err() != nil {
		x.leave()
		x.err = context.Cause(x.r.Context())
		return fail
	}
	x.usable = true
	return answered
}

// refused joins a fill that is under way, and begins none.
func refused(x *exchange) step {
	if x.join() {
		return await
	}
	x.err = ErrOverloaded
	return fail
}

// join enters a fill that is under way already, for a request that begins none.
func (x *exchange) join() bool {
	if !x.collapses() {
		return false
	}
	x.fill, x.reader = x.c.flights.follow(x.keyText(), x.fits)
	if x.fill == nil {
		return false
	}
	x.awaitInterim()
	x.tries++
	return true
}

// collapses tells whether the request may share a fill with others.
func (x *exchange) collapses() bool {
	if x.query.authorized || x.query.control.Is(httpfield.NoStore|httpfield.NoCache) || x.tries >= maxTries || x.options.CollapseWait <= 0 {
		return false
	}
	x.alone = x.c.marks.has(x.hash, x.looked)
	return !x.alone
}

// newFill prepares a fill that this request leads. It outlives the request, but not the cache.
func (x *exchange) newFill(i *interim) *fill {
	f := &fill{target: x.target(), c: x.c, next: x.next, heir: x.heir, own: life{request: x.r.Context(), interim: i}}
	f.life = &f.own
	if s := x.found.Response; s != nil && s.validates() {
		f.stale = s
	} else if x.found.Fwd == FwdVaryMiss {
		f.variants = x.c.tagged(x.hash, x.key)
	}
	f.sent = *x.r.WithContext(f.life)
	f.sent.Method, f.sent.Body, f.request = http.MethodGet, http.NoBody, &f.sent
	if q := x.policy.Query; !q.all() {
		u := *x.r.URL
		u.RawQuery, u.ForceQuery = q.filtered(u.RawQuery), false
		f.request.URL = &u
	}
	f.takeFields(f.stale, f.variants)
	f.asked = x.part()
	f.askPart()
	return f
}

func (x *exchange) target() target {
	return target{
		site: x.site, hash: x.hash, key: x.keyText(), rawKey: cmp.Or(x.rawKey, x.keyText()), client: x.r.Header, query: x.query,
		policy: x.policy, coder: x.coder, born: x.c.purges.last.Load(),
	}
}

// keyText is the key as a text that stays.
func (x *exchange) keyText() string {
	if len(x.text) != len(x.key) {
		x.text = string(x.key)
	}
	return x.text
}

// fits tells whether the request may wait for a fill, or follow it.
func (x *exchange) fits(f *fill) bool {
	if f.hasAnswered() {
		return f.stored != nil && f.err == nil && x.accepts(f)
	}
	if f.stale != nil {
		return selects(f.stale.vary, x.query.fields)
	}
	return x.varyGuess(f)
}

// varyGuess tells whether the leader said the same in the fields that the responses at hand vary by.
func (x *exchange) varyGuess(f *fill) bool {
	s := x.c.index.get(x.hash, x.key)
	if s == nil || len(s.list()) == 0 {
		return true
	}
	for _, v := range s.list()[0].vary {
		said := []varyField{newVaryField(v.name, header(f.client))}
		f.coder.codeVary(said, header(f.client))
		if !selects(said, x.query.fields) {
			return false
		}
	}
	return true
}

// accepts tells whether what a fill brings answers this request as well.
func (x *exchange) accepts(f *fill) bool {
	s := f.stored
	if !x.c.purges.spares(f.key, s.tags, s.born) || f.reason != "" || !x.placedHere(f) || !selects(s.vary, x.query.fields) {
		return false
	}
	found := judge(x.preset, &x.query, s, time.Now())
	return found.State == Fresh
}

// validateBehind validates a stale response behind the client's back, RFC 5861 §3, once at a time.
func (x *exchange) validateBehind() {
	s := x.found.Response
	if x.c.refusing.Load() || !s.revalidating.CompareAndSwap(false, true) {
		return
	}
	f := x.newFill(nil)
	x.c.flights.enterBehind(f)
	if x.c.work.start(func() { defer s.revalidating.Store(false); f.run() }) {
		return
	}
	x.c.flights.remove(f)
	f.cancel()
}

// await waits until the fill that another request leads has an answer.
func await(x *exchange) step {
	defer x.c.flights.decided(x.fill)
	timeout := time.NewTimer(x.c.options.Load().CollapseWait)
	defer timeout.Stop()
	select {
	case <-x.fill.answered.heard():
		x.usable = x.fill.stored != nil && x.accepts(x.fill)
		return answered
	case <-timeout.C:
		x.leave()
		x.tries = maxTries
		return lookup
	case <-x.r.Context().Done():
		x.leave()
		x.err = context.Cause(x.r.Context())
		return fail
	}
}

// leave ends the request's interest in its fill.
func (x *exchange) leave() {
	x.interim.stop()
	if x.leads {
		x.unwatch()
	}
	if x.reader != nil {
		x.reader.detach()
	}
	if x.c.flights.leave(x.fill, x.leads) || x.leads && x.fill.isPrivate() {
		x.fill.abort()
	}
}

// answered decides what the fill's answer means for this request.
func answered(x *exchange) step {
	f := x.fill
	x.interim.stop()
	switch {
	case f.err != nil && !x.leads && !f.heir:
		x.leave()
		x.heir = true // the lead passes on once
		return lookup
	case f.err != nil:
		x.leave()
		x.err, x.status.FwdStatus = f.err, f.status
		return fail
	case isServerError(f.status) && x.staleUsable():
		x.leave()
		x.status.FwdStatus = f.status
		return serveOnError
	case !x.usable:
		x.leave()
		return lookup
	case f.response != nil && x.wantsOther(f):
		x.leave()
		return pass
	}
	x.status.FwdStatus, x.status.Stored = f.status, f.reason == ""
	x.status.Collapsed, x.status.detail = !x.leads, string(f.reason)
	if f.shared && !f.stored.Sliced() && !f.flow().kept() {
		x.status.Stored, x.status.detail = false, string(ReasonNoRoom)
	}
	switch {
	case f.response != nil:
		return serveResponse
	case f.shared:
		return serveStream
	}
	return serveUpdated
}
