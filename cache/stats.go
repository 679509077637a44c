package cache

// Stats is the cache at a glance.
type Stats struct {
	Slots     int64 `json:"slots"`     // target URIs with at least one stored response
	Responses int64 `json:"responses"` // stored responses, each variant counted
	Bytes     int64 `json:"bytes"`     // their contents and fields, with overhead

	SiteStats                      // of all sites
	Sites     map[string]SiteStats `json:"sites"`

	Forwarded  map[Fwd]uint64    `json:"forwarded"` // requests that went to the origin, by reason
	Stored     uint64            `json:"stored"`
	Unstored   map[Reason]uint64 `json:"unstored"` // responses that weren't stored, by reason
	Evicted    uint64            `json:"evicted"`
	Collapsed  uint64            `json:"collapsed"`    // requests that another one's fill answered
	HitForMiss uint64            `json:"hit_for_miss"` // requests that waited for no other's fill, since what it brings can't be shared
	Stale      map[string]uint64 `json:"stale"`        // answers beyond their freshness lifetime, by what allowed it
	Validated  uint64            `json:"validated"`    // stored responses that a 304 made fresh again
	Purged     uint64            `json:"purged"`       // purge requests

	Encoding  map[string]EncodingStats `json:"encoding"`  // by coding
	Unencoded map[string]uint64        `json:"unencoded"` // contents that could have been encoded and weren't, by reason

	Memory int64 `json:"memory"` // that stored responses and fills may hold now, in bytes

	DiskHits   uint64 `json:"disk_hits"`   // of the hits, those that the disk tier answered
	Loads      uint64 `json:"loads"`       // keys that were looked for on disk
	LoadErrors uint64 `json:"load_errors"` // heads that weren't understood, contents that couldn't be read
	Promoted   uint64 `json:"promoted"`    // contents that came from disk into memory
	Remembered int    `json:"remembered"`  // purges that what is on disk is held against

	Fills     int64 `json:"fills"`      // in flight
	FillBytes int64 `json:"fill_bytes"` // held by them
}
