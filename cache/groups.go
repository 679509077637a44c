package cache

import (
	"context"
	"net/http"
	"strings"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// maxGroups bounds the groups of one response; RFC 9875 §2.1 asks for 32 at least.
const maxGroups = 64

// groupsIn returns the groups that a field names, as tags that no origin can make of Surrogate-Key or Cache-Tag, and that
// no other origin shares, RFC 9875 §2.1. key is the cache key of the response that has the field. A field that isn't a
// list of strings counts as absent.
func groupsIn(f FieldReader, name, key string) (tags []string) {
	if !has(f, name) {
		return nil
	}
	members, ok := httpfield.ParseList(joined(f, name))
	if !ok {
		return nil
	}
	origin := originOf(key)
	for _, m := range members[:min(len(members), maxGroups)] {
		if m.Kind != httpfield.KindString {
			return nil
		}
		tags = append(tags, "\x00"+origin+"\x00"+m.Str)
	}
	return tags
}

// originOf is a key's scheme and authority.
func originOf(key string) string {
	scheme, rest, _ := strings.Cut(key, "://")
	authority, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + authority
}

// responseTags are all tags of a response: its groups, and those of Surrogate-Key and Cache-Tag.
func responseTags(h http.Header, key string) []string {
	return append(groupsIn(header(h), "Cache-Groups", key), tagsOf(h)...)
}

// invalidateGroups removes what is in a group that the response to an unsafe method names, RFC 9875 §3.
func (c *Cache) invalidateGroups(key string, response http.Header) {
	c.invalidateTags(groupsIn(header(response), "Cache-Group-Invalidation", key))
}

// groupsOf returns the groups of what is stored under a key: they are invalidated with it, RFC 9875 §2.2.1.
func (c *Cache) groupsOf(ctx context.Context, key []byte) (tags []string) {
	hash := c.index.hash(key)
	if c.tier != nil {
		c.recall(ctx, hash, key, false)
	}
	if s := c.index.get(hash, key); s != nil {
		for _, r := range s.list() {
			tags = append(tags, groupsIn(r.fields, "Cache-Groups", s.key)...)
		}
	}
	return tags
}

func (c *Cache) invalidateTags(tags []string) {
	for _, tag := range tags {
		c.purges.addTag(hashTag(tag), false)
	}
	if len(tags) > 0 {
		c.sweep()
		if c.tier != nil {
			c.durableBehind()
		}
	}
}
