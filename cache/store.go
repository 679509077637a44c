package cache

import (
	"context"
	"errors"
)

// ErrReleased is what a Store's Note returns when another process may have what it is kept on: the notes are its business.
var ErrReleased = errors.New("the disk was let go, for the process that comes next")

// Store keeps stored responses beyond memory, and across restarts; cache/disk fulfils it. It knows nothing of HTTP: a
// record has an ID, a key that is compared in full, a meta part that only the cache reads, and a content. What is in it
// is a bonus: whatever can't be read, is torn or has changed is no record, and never an error of the cache's client.
//
// All methods may be called concurrently. Only Load, Content.WriteRange and the methods that say so do I/O.
type Store interface {
	// Has tells from memory whether the store may hold records of that ID: false is certain.
	Has(id ID) bool
	// Load reads the heads of a key's records, newest first. It returns what it could read before ctx ended.
	Load(ctx context.Context, id ID, key string) []Record
	// Put queues a record to be written, in place of that with the same ID and Variant; false when it isn't taken:
	// the queue is full, the record too large, the disk full or broken. It doesn't block. The content may be read
	// until done is called, with whether the record was written; done may be nil, and must not block. What isn't taken
	// may be offered again when it is used again: a store may wait for that before it writes. Either way no older
	// version of the record is loaded any more.
	Put(r Record, done func(written bool)) bool
	// Delete forgets the records of an ID, those that are queued too. It is not durable.
	Delete(id ID)
	// Note writes a note, of which it understands nothing but its sequence, and returns once the note survives the
	// loss of the process and of power. Notes are how purges survive.
	Note(sequence uint64, note []byte) error
	// Notes returns the notes that were there when the store was opened, in the order of their sequences.
	Notes() [][]byte
	// Oldest is the smallest Born of the records that are there or queued, or a lower one, and MaxUint64 for none. A
	// note whose sequence isn't above it concerns no record any more: Forget lets the store drop those up to a
	// sequence.
	Oldest() uint64
	Forget(sequence uint64)
	// Sequence is the largest sequence of a note and Born of a record that the store has seen.
	Sequence() uint64
	// Close writes what is queued as long as ctx allows, and ends the store. No other method may be called afterwards,
	// except those of contents, which then fail.
	Close(ctx context.Context) error
}

// ID names a key, across restarts and on all nodes: the first 16 octets of its SHA-256, so that nobody can make two keys
// meet.
type ID [16]byte

// Record is a stored response as a Store has it.
type Record struct {
	ID      ID
	Key     string
	Variant uint64 // tells the records of one ID apart
	Born    uint64 // the purge sequence when it was asked for
	Meta    []byte // opaque to the store; must not be changed
	Content Content
}
