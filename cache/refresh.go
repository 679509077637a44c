package cache

import (
	"net/http"
	"slices"
)

// refresh stores what a 304, or the response to a HEAD, makes of a stored response: in its place, or beside it when the
// request didn't select it. The other variants with the same strong validator are updated as well, RFC 9111 §4.3.4. A
// reason tells that the result may only be used this once.
func (c *Cache) refresh(t *target, stale *Response, r *received, h http.Header) (*Response, Reason) {
	fresh, m := c.freshened(t, stale, r, h)
	if reason := t.storable(c.options.Load().Preset, m); reason != "" {
		c.discard(t.hash, t.key, func(old *Response) bool { return old == stale })
		if c.tier != nil {
			c.tier.store.Delete(idOf([]byte(t.key)))
		}
		return fresh, reason
	}
	put := c.index.replace
	if !selects(stale.vary, header(t.client)) {
		put = c.index.addBeside
	}
	cost, ok := put(t.hash, t.key, stale, fresh)
	if !ok {
		cost, ok = c.reenter(t, fresh)
	}
	if !ok {
		return fresh, ReasonPurged
	}
	c.rekeep(stale, fresh)
	c.refreshAlike(t, r, h)
	c.admit(t.hash, cost)
	return fresh, ""
}

// freshened is a stored response with the fields of a newer one, RFC 9111 §3.2, and the figures that follow: new fields
// around the same content. received is how the rules see it.
func (c *Cache) freshened(t *target, stale *Response, r *received, h http.Header) (*Response, *received) {
	merged := updatedFields(stale, h)
	if !r.dated {
		merged["Date"] = []string{r.at.UTC().Format(http.TimeFormat)}
	}
	merged["Age"], merged["Surrogate-Control"] = h["Age"], h["Surrogate-Control"] // they aren't stored
	m := newReceived(c.options.Load().Targeted, stale.status, header(merged), r.requested, r.at)
	m.assign(t.policy)
	kept := storedFields(merged, m.control.PrivateFields, m.control.NoCacheFields)
	fresh := newResponse(m, newBlock(merged, kept), header(t.client), *t.policy)
	t.coder.codeVary(fresh.vary, header(t.client))
	fresh = fresh.with(readAhead(stale.content), stale.trailer)
	t.coder.enable(fresh)
	fresh.inherit(stale)
	fresh.tags, fresh.born = refreshedTags(t, stale, merged, h), t.born
	return fresh, m
}

// refreshedTags are the tags of a stored response once h has updated it. Groups are among the stored fields; the other
// tags aren't, so that they stay unless h has new ones.
func refreshedTags(t *target, stale *Response, merged, h http.Header) []uint64 {
	groups, tags := groupsIn(header(merged), "Cache-Groups", t.key), tagsOf(h)
	if len(tags) > 0 {
		return t.site.with(append(groups, tags...))
	}
	if len(h["Cache-Groups"]) == 0 {
		return stale.tags
	}
	all := t.site.with(groups)
	for _, tag := range stale.tags {
		all = addTag(all, tag)
	}
	return all
}

// refreshAlike updates the variants that the request doesn't select, but that have the strong validator of its 304, as
// long as they vary by the same fields as before.
func (c *Cache) refreshAlike(t *target, r *received, h http.Header) {
	e, ok := etagOf(r.fields)
	s := c.index.get(t.hash, []byte(t.key))
	if !ok || s == nil {
		return
	}
	for _, v := range s.list() {
		if !e.StrongEqual(v.etag) || selects(v.vary, header(t.client)) || !c.alive(v) {
			continue
		}
		fresh, _ := c.freshened(t, v, r, h)
		if sameVaryNames(v.vary, fresh.vary) {
			fresh.vary = slices.Clone(v.vary)
			c.index.replace(t.hash, t.key, v, fresh)
		}
	}
}

// refreshByHead uses the response to a HEAD for what is stored of GET, RFC 9111 §4.3.5: it is made fresh again, or
// stale when it has changed.
func (c *Cache) refreshByHead(t *target, stored *Response, r *received, h http.Header) {
	switch {
	case r.status != stored.status:
	case sameRepresentation(r, stored):
		c.refresh(t, stored, r, h)
	default:
		stored.soft.Store(true)
	}
}
