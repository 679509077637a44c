package cache

import "net/http"

// refresh stores what a 304, or the response to a HEAD, makes of a stored response, RFC 9111 §3.2: new figures and
// fields around the same content. A reason tells that the result may only be used this once.
func (c *Cache) refresh(t *target, stale *Response, r *received, h http.Header) (*Response, Reason) {
	merged := updatedFields(stale, h)
	if !r.dated {
		merged["Date"] = []string{r.at.UTC().Format(http.TimeFormat)}
	}
	merged["Age"] = h["Age"]
	m := newReceived(stale.status, header(merged), r.requested, r.at)
	kept := storedFields(merged, m.control.PrivateFields, m.control.NoCacheFields)
	fresh := newResponse(m, newBlock(merged, kept), header(t.client), t.policy).with(stale.content, stale.trailer)
	fresh.tags, fresh.born = stale.tags, t.born
	if tags := tagsOf(h); len(tags) > 0 {
		fresh.tags = hashTags(tags)
	}
	if reason := storable(c.options.Load().Preset, &t.query, m); reason != "" {
		c.discard(t.hash, t.key, func(old *Response) bool { return old == stale })
		return fresh, reason
	}
	cost, ok := c.index.replace(t.hash, t.key, stale, fresh)
	if !ok {
		return fresh, ReasonPurged
	}
	c.admit(t.hash, cost)
	return fresh, ""
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
