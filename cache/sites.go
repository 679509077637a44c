package cache

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// site is what belongs to all handlers of one name. It outlives them, so that its figures only grow.
type site struct {
	hits, hitBytes     atomic.Uint64 // requests, and octets of contents from what is stored: a hit adds to no more than these
	misses, otherBytes atomic.Uint64

	name string
	tags []uint64 // of all that comes to be stored by its configuration: its own alone
}

// fetch has the processor read what hit adds to, where nothing waits for it yet. Additions, which are atomic, let it do
// nothing else while they wait for memory.
func (s *site) fetch() { s.hits.Load() }

// hit counts a hit, of whose content so many octets were sent.
func (s *site) hit(octets int64) {
	s.hits.Add(1)
	s.hitBytes.Add(uint64(octets))
}

// miss counts a request that is no hit: octets were sent, some of them from what is stored.
func (s *site) miss(fromStored, octets int64) {
	s.misses.Add(1)
	s.hitBytes.Add(uint64(fromStored))
	s.otherBytes.Add(uint64(octets - fromStored))
}

// SiteStats is how one site's requests fared. Octets are of contents, as they were sent.
type SiteStats struct {
	Requests  uint64 `json:"requests"`
	Hits      uint64 `json:"hits"` // that a stored response answered
	SentBytes uint64 `json:"sent_bytes"`
	HitBytes  uint64 `json:"hit_bytes"` // of them, those that came from what is stored
}

// HitRatio is the part of the requests that stored responses answered; 0 without any.
func (s SiteStats) HitRatio() float64 { return ratio(s.Hits, s.Requests) }

// ByteHitRatio is the part of the octets that came from what is stored; 0 without any.
func (s SiteStats) ByteHitRatio() float64 { return ratio(s.HitBytes, s.SentBytes) }

func ratio(part, whole uint64) float64 { return float64(part) / float64(max(whole, 1)) }

func (s *site) stats() SiteStats {
	hits, hitBytes := s.hits.Load(), s.hitBytes.Load()
	return SiteStats{Hits: hits, HitBytes: hitBytes, Requests: hits + s.misses.Load(), SentBytes: hitBytes + s.otherBytes.Load()}
}

// sites are those that handlers were made for.
type sites struct {
	mu     sync.Mutex // guards the following field
	byName map[string]*site
}

func (s *sites) get(name string) *site {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName == nil {
		s.byName = make(map[string]*site)
	}
	if s.byName[name] == nil {
		s.byName[name] = &site{name: name, tags: []uint64{siteTag(name)}}
	}
	return s.byName[name]
}

// stats are those of each site, and of all together.
func (s *sites) stats() (all SiteStats, each map[string]SiteStats) {
	s.mu.Lock()
	sites := slices.Collect(maps.Values(s.byName))
	s.mu.Unlock()
	each = make(map[string]SiteStats, len(sites))
	for _, site := range sites {
		f := site.stats()
		each[site.name] = f
		all.Requests += f.Requests
		all.Hits += f.Hits
		all.SentBytes += f.SentBytes
		all.HitBytes += f.HitBytes
	}
	return all, each
}
