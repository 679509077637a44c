package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// PurgeRequest says what to purge: at least one item, or All.
type PurgeRequest struct {
	URLs     OneOrMore `json:"url,omitempty"`    // target URIs, with all their variants
	Tags     OneOrMore `json:"tag,omitempty"`    // all that the origin tagged so by Surrogate-Key or Cache-Tag
	Prefixes OneOrMore `json:"prefix,omitempty"` // all below HOST/PATH; with a scheme only that scheme's
	Sites    OneOrMore `json:"site,omitempty"`   // all that came to be stored by a site's configuration
	All      bool      `json:"all,omitempty"`
	// Soft makes stale instead of removing: validated before the next use, still usable where stale is allowed.
	Soft bool `json:"soft,omitempty"`
}

// OneOrMore is a string or a list of strings in JSON.
type OneOrMore []string

// UnmarshalJSON reads either form.
func (o *OneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = OneOrMore{one}
		return nil
	}
	var more []string
	if json.Unmarshal(b, &more) != nil {
		return fmt.Errorf("%s is neither a string nor a list of strings", b)
	}
	*o = more
	return nil
}

// PurgeResult is what a purge did.
type PurgeResult struct {
	Count int           `json:"count"`   // stored responses in memory; those on disk alone aren't counted
	Took  time.Duration `json:"took_ns"` // until no request could get them any more, also after a restart
	// Items are the request's, in the order of its fields. A response that several items concern counts for each.
	Items []PurgedItem `json:"items"`
	// Warning says that a restart may bring back what was purged, and why; empty when it can't.
	Warning string `json:"warning,omitempty"`
}

// PurgedItem is what the purge of one item did.
type PurgedItem struct {
	Kind  string `json:"kind"` // url, tag, prefix, site or all
	What  string `json:"what,omitempty"`
	Count int    `json:"count"`
}

// Purge makes stored responses, and those that fills in flight may bring, unusable or stale before it returns, in
// memory and in the store, and makes that durable. Where the disk doesn't let it, the result has a warning: as long as
// this process lives the purge holds. The error says what is wrong with the request, of which nothing is carried out
// then. Memory is freed behind it.
func (c *Cache) Purge(p PurgeRequest) (PurgeResult, error) {
	start := time.Now()
	purges, err := c.purgers(p)
	if err != nil {
		return PurgeResult{}, err
	}
	c.figures.purges.Add(1)
	var result PurgeResult
	for _, purge := range purges {
		purge.item.Count = purge.run()
		result.Count += purge.item.Count
		result.Items = append(result.Items, purge.item)
	}
	if err := c.durable(); err != nil {
		result.Warning = err.Error()
	}
	result.Took = time.Since(start)
	c.figures.purgeTime.Observe(result.Took.Seconds())
	return result, nil
}

// purger purges one item and returns how many responses that concerns.
type purger struct {
	item PurgedItem
	run  func() int
}

// purgers are what carries a request out.
func (c *Cache) purgers(p PurgeRequest) (list []purger, err error) {
	add := func(kind, what string, run func() int) {
		list = append(list, purger{PurgedItem{Kind: kind, What: what}, run})
	}
	for _, url := range p.URLs {
		key, err := keyOfURL(url)
		if err != nil {
			return nil, err
		}
		add("url", url, func() int { return c.purgeKey(key, p.Soft) })
	}
	for _, tag := range p.Tags {
		add("tag", tag, func() int { return c.purgeTag(hashTag(tag), p.Soft) })
	}
	for _, prefix := range p.Prefixes {
		add("prefix", prefix, func() int { return c.purgePrefix(normalPrefix(prefix), p.Soft) })
	}
	for _, site := range p.Sites {
		add("site", site, func() int { return c.purgeTag(siteTag(site), p.Soft) })
	}
	empty := func(i purger) bool { return i.item.What == "" }
	switch {
	case slices.ContainsFunc(list, empty):
		return nil, errors.New("purge: an item is empty: to purge everything, say all")
	case p.All == (len(list) > 0):
		return nil, errors.New("purge: give urls, tags, prefixes or sites, or else all")
	case p.All:
		add("all", "", func() int { return c.purgeAll(p.Soft) })
	}
	return list, nil
}
