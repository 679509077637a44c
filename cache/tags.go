package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
)

// tagIndex counts the stored responses of each tag, and remembers when a tag was purged. It is bounded by what is
// stored and the purges that a sweep has not finished.
type tagIndex struct {
	mu     sync.RWMutex // guards the following fields
	counts map[uint64]int
	purged map[uint64]tagPurge // few, so that whoever looks for one finds out at once that it isn't there
}

// tagPurge is the sequences of a tag's last purges, 0 for none.
type tagPurge struct{ hard, soft uint64 }

func newTagIndex() *tagIndex {
	return &tagIndex{counts: make(map[uint64]int), purged: make(map[uint64]tagPurge)}
}

// maxTags bounds the tags of one response beside its site's; what an origin sends beyond isn't purged by tag.
const maxTags = 128

// hashTag names a tag by a hash that outlives the process; should two tags meet, a purge of one takes the other with it.
func hashTag(tag string) uint64 {
	sum := sha256.Sum256([]byte(tag))
	return binary.BigEndian.Uint64(sum[:])
}

// siteTag is the tag of all that came to be stored by a site's configuration; no origin can make it of Surrogate-Key,
// Cache-Tag or Cache-Groups.
func siteTag(site string) uint64 { return hashTag("\x00site\x00" + site) }

// with returns the hashes of a response's tags, the site's first.
func (s *site) with(tags []string) []uint64 {
	if len(tags) == 0 {
		return s.tags
	}
	hashes := append(make([]uint64, 0, 1+len(tags)), s.tags...)
	for _, tag := range tags {
		hashes = addTag(hashes, hashTag(tag))
	}
	return hashes
}

// addTag adds a tag that isn't there yet, as long as there is room: each response counts once for a tag.
func addTag(tags []uint64, tag uint64) []uint64 {
	if len(tags) > maxTags || slices.Contains(tags, tag) {
		return tags
	}
	return append(tags, tag)
}

// count adds to the counts of a response's tags.
func (t *tagIndex) count(tags []uint64, n int) {
	if len(tags) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tag := range tags {
		if t.counts[tag] += n; t.counts[tag] == 0 {
			delete(t.counts, tag)
		}
	}
}

// purge notes a purge and returns how many responses it concerns.
func (t *tagIndex) purge(tag uint64, seq uint64, soft bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.purged[tag]
	if soft {
		p.soft = seq
	} else {
		p.hard = seq
	}
	t.purged[tag] = p
	return t.counts[tag]
}

// since tells which purges concern a response with these tags that was asked for at born.
func (t *tagIndex) since(tags []uint64, born uint64) (hard, soft bool) {
	if len(tags) == 0 {
		return false, false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, tag := range tags {
		p := t.purged[tag]
		hard = hard || p.hard > born
		soft = soft || p.soft > born
	}
	return hard, soft
}

// forget drops the purges up to seq, which no response needs any more.
func (t *tagIndex) forget(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tag, p := range t.purged {
		if p.hard <= seq {
			p.hard = 0
		}
		if p.soft <= seq {
			p.soft = 0
		}
		if t.purged[tag] = p; p == (tagPurge{}) {
			delete(t.purged, tag)
		}
	}
}
