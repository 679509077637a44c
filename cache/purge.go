package cache

import "time"

// PurgeRequest says what to purge: exactly one of URL, Tag, Prefix and All.
type PurgeRequest struct {
	URL    string `json:"url,omitempty"`    // one target URI, with all its variants
	Tag    string `json:"tag,omitempty"`    // all that the origin tagged so by Surrogate-Key or Cache-Tag
	Prefix string `json:"prefix,omitempty"` // all below HOST/PATH; with a scheme only that scheme's
	All    bool   `json:"all,omitempty"`
	// Soft makes stale instead of removing: validated before the next use, still usable where stale is allowed.
	Soft bool `json:"soft,omitempty"`
}

// PurgeResult is what a purge did.
type PurgeResult struct {
	Count int           `json:"count"`   // stored responses
	Took  time.Duration `json:"took_ns"` // until no request could get them any more
}

// Purge makes stored responses, and those that fills in flight may bring, unusable or stale before it returns.
// The error says what is wrong with the request.
func (c *Cache) Purge(p PurgeRequest) (PurgeResult, error) { return PurgeResult{}, nil }
