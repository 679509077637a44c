package disk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
)

// The notes, file notes: a prefix, then notes in the order they came. Each stands there twice in a row, so that no
// flipped bit costs one. What isn't a good note is skipped: a torn tail, or damage.
//
//	prefix  magic, CRC32C, forgotten, sequence
//	note    magic, CRC32C of the head, sequence, length, CRC32C of the note; the note; padding up to noteAlign
const (
	notesName       = "notes"
	notesPrefixSize = 24
	noteHeadSize    = 24
	noteAlign       = 8
	// maxNote bounds a note, in bytes.
	maxNote = 64 << 10
	// maxNotes bounds the file, in bytes: millions of purges that records are still held against.
	maxNotes = 256 << 20
	// notesAhead is how much is allocated ahead, in bytes, so that a disk that fills up still takes notes; on a small
	// disk it is a part of notesShare.
	notesAhead = 256 << 10
	notesShare = 64

	notesMagic = 0x314e4541 // "AEN1"
	noteMagic  = 0x314f4541 // "AEO1"
)

// note is a sequence and what the cache makes of it.
type note struct {
	sequence uint64
	text     []byte
}

// appendNote appends a note twice.
func appendNote(b []byte, s seed, n note) []byte {
	for range 2 {
		b = appendOneNote(b, s, n)
	}
	return b
}

func appendOneNote(b []byte, s seed, n note) []byte {
	at := len(b)
	le := binary.LittleEndian
	b = le.AppendUint32(b, noteMagic)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, n.sequence)
	b = le.AppendUint32(b, uint32(len(n.text)))
	b = le.AppendUint32(b, crc(s.sum(n.sequence, noteMagic), n.text))
	le.PutUint32(b[at+4:], crc(s.sum(0, noteMagic), b[at+8:]))
	b = append(b, n.text...)
	return append(b, make([]byte, -len(b)&(noteAlign-1))...)
}

// parseNote reads the note that b begins with, and says how long it is.
func parseNote(b []byte, s seed) (n note, size int, ok bool) {
	le := binary.LittleEndian
	if len(b) < noteHeadSize || le.Uint32(b) != noteMagic || le.Uint32(b[4:]) != crc(s.sum(0, noteMagic), b[8:noteHeadSize]) {
		return n, 0, false
	}
	n.sequence = le.Uint64(b[8:])
	length := int(le.Uint32(b[16:]))
	size = noteHeadSize + (length+noteAlign-1)&^(noteAlign-1)
	if length > maxNote || size > len(b) {
		return n, 0, false
	}
	n.text = b[noteHeadSize:][:length]
	return n, size, le.Uint32(b[20:]) == crc(s.sum(n.sequence, noteMagic), n.text)
}

// appendNotesPrefix appends both prefixes.
func appendNotesPrefix(b []byte, s seed, forgotten, sequence uint64) []byte {
	b = appendOneNotesPrefix(b, s, forgotten, sequence)
	return appendOneNotesPrefix(b, s, forgotten, sequence)
}

func appendOneNotesPrefix(b []byte, s seed, forgotten, sequence uint64) []byte {
	at := len(b)
	le := binary.LittleEndian
	b = le.AppendUint32(b, notesMagic)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, forgotten)
	b = le.AppendUint64(b, sequence)
	le.PutUint32(b[at+4:], crc(s.sum(0, notesMagic), b[at+8:]))
	return b
}

// noteFile is what a file of notes holds.
type noteFile struct {
	forgotten uint64
	sequence  uint64
	notes     []note
	damaged   bool // there is something else in it
}

// parsePrefix reads one of the two prefixes.
func (f *noteFile) parsePrefix(b []byte, s seed) bool {
	le := binary.LittleEndian
	if len(b) < notesPrefixSize || le.Uint32(b) != notesMagic || le.Uint32(b[4:]) != crc(s.sum(0, notesMagic), b[8:notesPrefixSize]) {
		return false
	}
	f.forgotten, f.sequence = le.Uint64(b[8:]), le.Uint64(b[16:])
	return true
}

// errNoNotes is a file that doesn't begin as notes do.
var errNoNotes = errors.New("the file of notes is damaged")

// parseNotes reads a file. It takes every good note, wherever it stands.
func parseNotes(b []byte, s seed) (f noteFile, err error) {
	if len(b) < 2*notesPrefixSize || !f.parsePrefix(b, s) && !f.parsePrefix(b[notesPrefixSize:], s) {
		return f, errNoNotes
	}
	copies := 0
	for b = b[2*notesPrefixSize:]; len(b) > 0; {
		n, size, ok := parseNote(b, s)
		if !ok {
			f.damaged = true
			b = b[min(noteAlign, len(b)):]
			continue
		}
		f.notes = append(f.notes, n)
		f.sequence = max(f.sequence, n.sequence)
		copies++
		b = b[size:]
	}
	f.notes = distinct(f.notes)
	f.damaged = f.damaged || copies != 2*len(f.notes)
	return f, nil
}

// distinct sorts notes by their sequence, and drops what is there twice.
func distinct(notes []note) []note {
	slices.SortStableFunc(notes, func(a, b note) int {
		return cmp.Or(cmp.Compare(a.sequence, b.sequence), bytes.Compare(a.text, b.text))
	})
	return slices.CompactFunc(notes, func(a, b note) bool { return a.sequence == b.sequence && bytes.Equal(a.text, b.text) })
}
