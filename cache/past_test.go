package cache

import (
	"fmt"
	"testing"
)

func TestPast(t *testing.T) {
	const key = "http://example.com/a/b"
	id, tags := idOf([]byte(key)), []uint64{hashTag("x"), hashTag("y")}
	prefix := func(s string) purgeNote { return noteOfPrefix(prefixPurge{prefix: s, seq: 10}) }
	soft := func(n purgeNote) purgeNote { n.soft = true; return n }
	for _, tt := range []struct {
		note       purgeNote
		hard, soft bool
	}{
		{note: noteOfKey(id, false, 10), hard: true},
		{note: noteOfKey(id, true, 10), soft: true},
		{note: noteOfKey(idOf([]byte("http://example.com/a")), false, 10)},
		{note: noteOfTag(hashTag("y"), false, 10), hard: true},
		{note: noteOfTag(hashTag("x"), true, 10), soft: true},
		{note: noteOfTag(hashTag("z"), false, 10)},
		{note: prefix("example.com/a"), hard: true},
		{note: soft(prefix("example.com/a")), soft: true},
		{note: prefix("http://example.com/"), hard: true},
		{note: prefix(key), hard: true},
		{note: prefix(key + "/")},
		{note: prefix("https://example.com/")},
		{note: prefix("ample.com/")},
		{note: prefix(""), hard: true},
		{note: soft(prefix("")), soft: true},
	} {
		p := newPast(maxPast)
		p.add(tt.note)
		if hard, soft := p.since(id, key, tags, 9); hard != tt.hard || soft != tt.soft {
			t.Errorf("%+v: hard %v, soft %v", tt.note, hard, soft)
		}
		if hard, soft := p.since(id, key, tags, 10); hard || soft {
			t.Errorf("%+v concerns what came after it", tt.note)
		}
		p.forget(9)
		if hard, soft := p.since(id, key, tags, 9); hard != tt.hard || soft != tt.soft {
			t.Errorf("%+v is forgotten too early", tt.note)
		}
		if p.forget(10); p.count() != 0 || len(p.lengths) != 0 {
			t.Errorf("%+v isn't forgotten", tt.note)
		}
	}
}

// TestPastIsInAnyOrder: a later purge isn't forgotten for an earlier one that comes after it, as replays may have it.
func TestPastIsInAnyOrder(t *testing.T) {
	p := newPast(maxPast)
	id := ID{1}
	p.add(noteOfKey(id, false, 20))
	p.add(noteOfKey(id, false, 5))
	p.add(noteOfPrefix(prefixPurge{seq: 10})) // of all
	if hard, _ := p.since(id, "http://x/", nil, 15); !hard {
		t.Error("the later purge is lost")
	}
	if hard, _ := p.since(ID{2}, "http://x/", nil, 9); !hard {
		t.Error("the purge of all is lost")
	}
}

// TestPastIsBounded: one purge stands for those that are too many.
func TestPastIsBounded(t *testing.T) {
	p := newPast(100)
	for i := range uint64(1000) {
		instead := p.add(noteOfTag(i, false, i+1))
		if p.count() > 100+1 {
			t.Fatalf("%d are remembered", p.count())
		}
		if instead != nil && (!instead.ofAll() || instead.seq != i+1) {
			t.Errorf("%d: instead %+v", i, instead)
		}
	}
	for i := range uint64(1000) {
		if hard, _ := p.since(ID{}, fmt.Sprint(i), []uint64{i}, i); !hard {
			t.Errorf("the purge of tag %d is lost", i)
		}
	}
}
