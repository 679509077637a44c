package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// tagIndex counts the stored responses of each tag, and remembers when a tag was purged. It is bounded by what is
// stored and the purges that a sweep has not finished.
type tagIndex struct {
	mu   sync.RWMutex // guards the following fields
	tags map[uint64]*tagRecord
}

// tagRecord is one tag's count and the sequences of its last purges, 0 for none.
type tagRecord struct {
	count      int
	hard, soft uint64
}

func newTagIndex() *tagIndex {
	return &tagIndex{tags: make(map[uint64]*tagRecord)}
}

// maxTags bounds the tags of one response; what an origin sends beyond isn't purged by tag.
const maxTags = 128

// hashTag names a tag by a hash that outlives the process; should two tags meet, a purge of one takes the other with it.
func hashTag(tag string) uint64 {
	sum := sha256.Sum256([]byte(tag))
	return binary.BigEndian.Uint64(sum[:])
}

// hashTags names tags by their hashes.
func hashTags(tags []string) []uint64 {
	tags = tags[:min(len(tags), maxTags)]
	if len(tags) == 0 {
		return nil
	}
	hashes := make([]uint64, len(tags))
	for i, tag := range tags {
		hashes[i] = hashTag(tag)
	}
	return hashes
}

// count adds to the counts of a response's tags.
func (t *tagIndex) count(tags []uint64, n int) {
	if len(tags) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tag := range tags {
		r := t.record(tag)
		if r.count += n; *r == (tagRecord{}) {
			delete(t.tags, tag)
		}
	}
}

// record returns a tag's record, made if need be. The lock is held.
func (t *tagIndex) record(tag uint64) *tagRecord {
	r := t.tags[tag]
	if r == nil {
		r = new(tagRecord)
		t.tags[tag] = r
	}
	return r
}

// purge notes a purge and returns how many responses it concerns.
func (t *tagIndex) purge(tag uint64, seq uint64, soft bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.record(tag)
	if soft {
		r.soft = seq
	} else {
		r.hard = seq
	}
	return r.count
}

// since tells which purges concern a response with these tags that was asked for at born.
func (t *tagIndex) since(tags []uint64, born uint64) (hard, soft bool) {
	if len(tags) == 0 {
		return false, false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, tag := range tags {
		if r := t.tags[tag]; r != nil {
			hard = hard || r.hard > born
			soft = soft || r.soft > born
		}
	}
	return hard, soft
}

// forget drops the purges up to seq, which no response needs any more.
func (t *tagIndex) forget(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tag, r := range t.tags {
		if r.hard <= seq {
			r.hard = 0
		}
		if r.soft <= seq {
			r.soft = 0
		}
		if *r == (tagRecord{}) {
			delete(t.tags, tag)
		}
	}
}
