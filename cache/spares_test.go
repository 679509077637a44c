package cache

import "testing"

// A fill that was joined before a purge was forgotten mustn't answer after it was.
func TestForgottenPurgesSpareNothingOlder(t *testing.T) {
	p := &purges{tags: newTagIndex()}
	const key = "http://example.com/"
	tag := []uint64{hashTag("a")}
	if !p.spares(key, tag, 0) {
		t.Error("purged before any purge")
	}
	p.addTag(hashTag("a"), false)
	if p.spares(key, tag, 0) || !p.spares(key, tag, 1) || !p.spares(key, nil, 0) {
		t.Error("the purge of a tag takes the wrong ones")
	}
	p.forget(1)
	if p.spares(key, tag, 0) || !p.spares(key, tag, 1) {
		t.Error("a purge that is forgotten spares what is older")
	}
	p.forget(0)
	if p.spares(key, tag, 0) {
		t.Error("what is forgotten is known again")
	}
}
