package listener

import "testing"

// TestHeldIsBounded takes buffers until there are no more; one that is put back can be taken again.
func TestHeldIsBounded(t *testing.T) {
	var h held
	first := h.get()
	for range maxHolding - 1 {
		if h.get() == nil {
			t.Fatal("too few")
		}
	}
	if h.get() != nil {
		t.Fatal("too many")
	}
	*first = append(*first, 'x')
	h.put(first)
	if b := h.get(); b == nil || len(*b) != 0 {
		t.Errorf("%v after one was put back", b)
	}
	if h.get() != nil {
		t.Error("one too many")
	}
}
