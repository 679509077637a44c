package disk

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/anyedge/anyedge/cache"
)

// noteLog is one disk's notes. Many that come at once share one sync.
type noteLog struct {
	v *volume

	mu        sync.Mutex // guards the following fields
	batch     *noteBatch // what the next sync covers
	forgotten uint64     // no note up to it is needed any more
	sequence  uint64     // the largest that was there

	found []note // when it was opened

	writing sync.Mutex // guards the following fields
	file    file       // nil when it has to be written anew
	end     int64      // of the file
}

// noteBatch are notes that reach the disk together.
type noteBatch struct {
	b    []byte
	done bool // guarded by writing, as is err
	err  error
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
	l.shut()
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
	l.file, l.end = file, int64(len(b))
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
	if l.v.released.Load() {
		return cache.ErrReleased
	}
	if l.file == nil {
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
		l.shut()
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
	if l.v.released.Load() {
		return nil
	}
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
	l.shut()
}

// release closes the file for good, once what is being written to it is.
func (l *noteLog) release() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.v.released.Store(true)
	l.shut()
}

// shut closes the file. The lock is held.
func (l *noteLog) shut() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
