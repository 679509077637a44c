package cache

import (
	"reflect"
	"strings"
	"testing"
)

func sampleNotes() []purgeNote {
	return []purgeNote{
		noteOfKey(idOf([]byte("http://example.com/")), false, 1), noteOfTag(hashTag("a"), true, 300),
		noteOfPrefix(prefixPurge{prefix: "example.com/a", seq: 1<<64 - 1}), noteOfPrefix(prefixPurge{soft: true, seq: 2}),
	}
}

func TestNotesRoundTrip(t *testing.T) {
	b, n, seq := appendNotes(nil, sampleNotes())
	if n != 4 || seq != 1<<64-1 {
		t.Errorf("%d notes, sequence %d", n, seq)
	}
	if got, ok := parseNote(b); !ok || !reflect.DeepEqual(got, sampleNotes()) {
		t.Errorf("got %+v, %v", got, ok)
	}
}

// TestNotesArePartedWhenTooLong: a note has a largest size, and nothing is lost at its end.
func TestNotesArePartedWhenTooLong(t *testing.T) {
	var list, got []purgeNote
	for i := range 100 {
		list = append(list, noteOfPrefix(prefixPurge{prefix: strings.Repeat("x", i*20), seq: uint64(i)}))
	}
	list = append(list, noteOfPrefix(prefixPurge{prefix: strings.Repeat("y", 2*maxNote), seq: 100}))
	for rest := list; len(rest) > 0; {
		b, n, seq := appendNotes(nil, rest)
		if n == 0 || seq != rest[n-1].seq || n > 1 && len(b) > maxNote {
			t.Fatalf("%d notes in %d octets, sequence %d", n, len(b), seq)
		}
		part, ok := parseNote(b)
		if !ok {
			t.Fatal("not understood")
		}
		got, rest = append(got, part...), rest[n:]
	}
	if !reflect.DeepEqual(got, list) {
		t.Errorf("got %d of %d", len(got), len(list))
	}
}

func TestNoteTruncated(t *testing.T) {
	b, _, _ := appendNotes(nil, sampleNotes())
	whole := map[int]bool{}
	for n := range len(sampleNotes()) {
		part, _, _ := appendNotes(nil, sampleNotes()[:n])
		whole[len(part)] = true
	}
	for n := range b {
		if _, ok := parseNote(b[:n]); ok != whole[n] {
			t.Errorf("%d of %d octets: %v", n, len(b), ok)
		}
	}
	for _, bad := range []string{"\x00", "\x02", "\x01\x09\x01\x00", "\x01\x01\x01\x01x", "\x01\x02\x01\x01x"} {
		if _, ok := parseNote([]byte(bad)); ok {
			t.Errorf("%q is understood", bad)
		}
	}
}

func FuzzNote(f *testing.F) {
	b, _, _ := appendNotes(nil, sampleNotes())
	f.Add(b)
	f.Add([]byte{noteVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, ok := parseNote(b)
		if !ok {
			return
		}
		p := newPast(1 << 10)
		var again []purgeNote
		for rest := list; len(rest) > 0; {
			b, n, _ := appendNotes(nil, rest)
			part, ok := parseNote(b)
			if !ok {
				t.Fatalf("%+v isn't understood again", rest[:n])
			}
			again, rest = append(again, part...), rest[n:]
		}
		if !reflect.DeepEqual(again, list) {
			t.Errorf("%+v became %+v", list, again)
		}
		for _, n := range list {
			p.add(n)
		}
		p.since(ID{}, "http://example.com/", []uint64{1}, 0)
	})
}
