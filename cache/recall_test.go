package cache

import (
	"testing"
)

// TestDoomedRecall: what was loaded before an invalidation, and is entered after it, is nothing.
func TestDoomedRecall(t *testing.T) {
	ts := recalls{open: make(map[ID]*recall)}
	id, entered := ID{1}, false
	since := func() uint64 { return 7 }
	r, leads := ts.join(id, since)
	if again, second := ts.join(id, since); !leads || second || again != r || ts.oldest() != 7 {
		t.Errorf("leads %v, then %v; oldest %d", leads, second, ts.oldest())
	}
	ts.doom(id)
	if _, leads := ts.join(id, since); !leads {
		t.Error("a request that came after the invalidation waits for what came before it")
	}
	ts.finish(id, r, []*Response{{}}, func() { entered = true })
	<-r.done
	if entered || r.list != nil || !ts.has(id) {
		t.Errorf("entered %v, %v; the new one is under way %v", entered, r.list, ts.has(id))
	}
}

// TestOnlyWhatIsStoredIsPut: a response that was replaced doesn't follow its successor into the store.
func TestOnlyWhatIsStoredIsPut(t *testing.T) {
	ix := newIndex(newTagIndex())
	older, newer := &Response{content: Pieces{}}, &Response{content: Pieces{}}
	for _, r := range []*Response{older, newer} {
		ix.add(1, "key", r, header{})
	}
	put := map[*Response]bool{}
	for _, r := range []*Response{older, newer} {
		ix.whileStored(r, func() { put[r] = true })
	}
	if put[older] || !put[newer] {
		t.Errorf("older %v, newer %v", put[older], put[newer])
	}
}

// TestRestore: what is loaded stands behind what is there, and takes nobody's place.
func TestRestore(t *testing.T) {
	ix := newIndex(newTagIndex())
	response := func(value string) *Response {
		return &Response{content: Pieces{}, vary: []varyField{{name: "X", value: value, present: true}}}
	}
	a, b := response("a"), response("b")
	ix.add(1, "key", a, header{"X": {"a"}})
	if _, ok := ix.restore(1, "other", []*Response{response("c")}); ok {
		t.Error("another key's place was taken")
	}
	if _, ok := ix.restore(1, "key", []*Response{response("a")}); ok {
		t.Error("an older response was stored beside the newer")
	}
	if _, ok := ix.restore(1, "key", []*Response{b, response("a"), response("b")}); !ok {
		t.Error("nothing was stored")
	}
	if list := ix.get(1, []byte("key")).list(); len(list) != 2 || list[0] != a || list[1] != b {
		t.Errorf("%d are stored", len(list))
	}
	var many []*Response
	for i := range 2 * maxVariants {
		many = append(many, response(string(rune('c'+i))))
	}
	ix.restore(1, "key", many)
	ix.restore(2, "new", many[:1])
	if n := len(ix.get(1, []byte("key")).list()); n != maxVariants {
		t.Errorf("%d variants", n)
	}
	if slots, responses := ix.slots.Load(), ix.responses.Load(); slots != 2 || responses != maxVariants+1 {
		t.Errorf("%d slots, %d responses", slots, responses)
	}
}
