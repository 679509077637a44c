package disk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
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

// noteLog is one disk's notes. Many that come at once share one sync.
type noteLog struct {
	v *volume

	mu        sync.Mutex // guards the following fields
	batch     *noteBatch // what the next sync covers
	forgotten uint64     // no note up to it is needed any more
	sequence  uint64     // the largest that was there

	found []note // when it was opened

	writing sync.Mutex // guards the following fields, and the file
	file    file       // nil when it has to be written anew
	end     int64
	garbage bool // there is something in the file that isn't needed
}

// noteBatch are notes that reach the disk together.
type noteBatch struct {
	b    []byte
	done bool // guarded by writing, as is err
	err  error
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

// open reads the notes; known is false when they are lost. No record can be trusted then: a purge may be among them.
func (l *noteLog) open() (known bool, err error) {
	b, err := l.v.readFile(notesName, 2*maxNotes)
	if err != nil {
		return false, err
	}
	f, err := parseNotes(b, l.v.seed)
	if err != nil {
		return false, nil
	}
	if f.damaged {
		l.v.log.Warn("the notes of purges had a torn or damaged part", "notes", len(f.notes))
	}
	l.found, l.forgotten, l.sequence = f.notes, f.forgotten, max(f.sequence, f.forgotten)
	return true, nil
}

// last is the largest sequence that was there.
func (l *noteLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sequence
}

// rewrite replaces the file.
func (l *noteLog) rewrite(f noteFile) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	l.forgotten, l.sequence = max(l.forgotten, f.forgotten), max(l.sequence, f.sequence)
	f.forgotten, f.sequence = l.forgotten, l.sequence
	l.mu.Unlock()
	return l.write(f)
}

// write replaces the file by one without what is forgotten.
func (l *noteLog) write(f noteFile) error {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
	b := appendNotesPrefix(nil, l.v.seed, f.forgotten, f.sequence)
	for _, n := range f.notes {
		if n.sequence > f.forgotten {
			b = appendNote(b, l.v.seed, n)
		}
	}
	if err := l.v.writeFile(notesName, b); err != nil {
		return err
	}
	file, err := l.v.fs.Open(filepath.Join(l.v.path, notesName))
	if err != nil {
		return err
	}
	l.file, l.end, l.garbage = file, int64(len(b)), false
	l.allocate()
	return nil
}

// add writes a note, and returns when it is safe.
func (l *noteLog) add(n note) error {
	if len(n.text) > maxNote {
		return fmt.Errorf("write a note of %d bytes: more than %d", len(n.text), maxNote)
	}
	l.mu.Lock()
	if l.batch == nil {
		l.batch = new(noteBatch)
	}
	batch := l.batch
	batch.b = appendNote(batch.b, l.v.seed, n)
	l.sequence = max(l.sequence, n.sequence)
	l.mu.Unlock()

	l.writing.Lock()
	defer l.writing.Unlock()
	if !batch.done { // else somebody who waited before us has written ours as well
		l.commit(batch)
	}
	return batch.err
}

// commit writes a batch, to which nothing is added any more.
func (l *noteLog) commit(batch *noteBatch) {
	l.mu.Lock()
	l.batch = nil
	l.mu.Unlock()
	batch.err = l.append(batch.b)
	batch.done = true
}

// append writes and syncs. After an error nobody knows what is on the disk, and the file is written anew before the
// next note.
func (l *noteLog) append(b []byte) error {
	if l.file == nil || l.garbage {
		if err := l.compact(); err != nil {
			return fmt.Errorf("write a note to %s: %w", l.v.path, err)
		}
	}
	if l.end > maxNotes {
		return fmt.Errorf("write a note to %s: there are %d bytes of notes", l.v.path, l.end)
	}
	_, err := l.file.WriteAt(b, l.end)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.garbage = true
		return fmt.Errorf("write a note to %s: %w", l.v.path, err)
	}
	l.end += int64(len(b))
	if l.end > l.v.noteBytes.Load() {
		l.allocate()
	}
	return nil
}

// allocate reserves room for the next notes. Where there is none, a note will say so.
func (l *noteLog) allocate() {
	size := l.end + min(notesAhead, l.v.size/notesShare)
	l.v.noteBytes.Store(size)
	_ = l.file.Allocate(size)
}

// compact writes the file anew from what it holds.
func (l *noteLog) compact() error {
	f, err := l.read()
	if err != nil {
		return err
	}
	return l.write(f)
}

// read reads the file, and what is forgotten since it was written.
func (l *noteLog) read() (f noteFile, err error) {
	b, err := l.v.readFile(notesName, 2*maxNotes)
	if err != nil {
		return f, err
	}
	if f, err = parseNotes(b, l.v.seed); err != nil {
		return f, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.forgotten, f.sequence = l.forgotten, max(f.sequence, l.sequence)
	return f, nil
}

// tidy compacts the file when half of its notes are forgotten, or one is and all shall go.
func (l *noteLog) tidy(all bool) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	f, err := l.read()
	if err != nil {
		return err
	}
	forgotten := 0
	for _, n := range f.notes {
		if n.sequence <= f.forgotten {
			forgotten++
		}
	}
	if !all && 2*forgotten < len(f.notes) {
		return nil
	}
	return l.write(f)
}

// forget lets the notes up to a sequence go; true when that is news.
func (l *noteLog) forget(sequence uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sequence <= l.forgotten {
		return false
	}
	l.forgotten = sequence
	l.sequence = max(l.sequence, sequence)
	return true
}

func (l *noteLog) close() {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
