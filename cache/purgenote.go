package cache

import (
	"encoding/binary"
	"math"
)

// purgeNote is one purge as a Store keeps it. What it names outlives the process: keys by their ID, tags by their hash.
type purgeNote struct {
	kind purgeKind
	soft bool
	seq  uint64
	what string
}

type purgeKind byte

// The kinds, with what they name.
const (
	purgedKey    purgeKind = iota + 1 // an ID
	purgedTag                         // a tag's hash, 8 octets
	purgedPrefix                      // of a key, or of a key without its scheme; of everything when empty
	purgeKinds
)

const (
	// noteVersion is a note's first octet.
	noteVersion = 1
	// softBit stands in a kind's octet.
	softBit = 0x80
	// maxNote bounds a note, in octets; a Store may take no more.
	maxNote = 32 << 10
)

func noteOfKey(id ID, soft bool, seq uint64) purgeNote {
	return purgeNote{purgedKey, soft, seq, string(id[:])}
}

func noteOfTag(tag uint64, soft bool, seq uint64) purgeNote {
	return purgeNote{purgedTag, soft, seq, string(binary.BigEndian.AppendUint64(nil, tag))}
}

func noteOfPrefix(p prefixPurge) purgeNote { return purgeNote{purgedPrefix, p.soft, p.seq, p.prefix} }

// ofAll tells whether it concerns everything before it, so that nothing else needs to be remembered of that.
func (n *purgeNote) ofAll() bool { return n.kind == purgedPrefix && n.what == "" && !n.soft }

// appendNotes appends a note of as many purges as fit, and returns how many those are and their largest sequence.
func appendNotes(b []byte, list []purgeNote) (_ []byte, count int, seq uint64) {
	b = append(b, noteVersion)
	for _, n := range list {
		if count > 0 && len(b)+len(n.what)+2*binary.MaxVarintLen64 > maxNote {
			break
		}
		b = append(b, byte(n.kind)|flag(n.soft, softBit))
		b = appendText(binary.AppendUvarint(b, n.seq), n.what)
		count, seq = count+1, max(seq, n.seq)
	}
	return b, count, seq
}

// parseNote returns the purges of a note; false when there is something that isn't understood.
func parseNote(b []byte) (list []purgeNote, ok bool) {
	r := metaReader{rest: b, ok: true}
	if r.octet() != noteVersion {
		return nil, false
	}
	for len(r.rest) > 0 {
		kind := r.octet()
		n := purgeNote{kind: purgeKind(kind &^ softBit), soft: kind&softBit != 0, seq: r.number(math.MaxUint64)}
		n.what = r.text()
		if !n.valid() {
			return nil, false
		}
		list = append(list, n)
	}
	return list, r.ok
}

func (n *purgeNote) valid() bool {
	switch n.kind {
	case purgedKey:
		return len(n.what) == len(ID{})
	case purgedTag:
		return len(n.what) == 8
	}
	return n.kind == purgedPrefix
}
