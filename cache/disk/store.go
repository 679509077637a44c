package disk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/anyedge/anyedge/cache"
)

// ErrInUse is a directory that another process has.
var ErrInUse = errors.New("another process uses it")

// Store keeps records on one disk or several. It fulfils cache.Store, whose words about concurrency hold for it.
type Store struct {
	volumes []*volume
	notes   [][]byte
}

var _ cache.Store = (*Store)(nil)

// Open opens the disks, which Options name, and begins to load what is there. A disk that can't be opened is an error
// when it is in use by another process, or the only one; else it is logged and left out. Close ends the store.
func Open(o Options, log *slog.Logger) (*Store, error) { return openOn(o, log, osFS{}) }

func openOn(o Options, log *slog.Logger, fs fileSystem) (*Store, error) {
	s := new(Store)
	var errs error
	for _, path := range o.disks() {
		v, err := openVolume(path, o, log, fs)
		if err == nil {
			s.volumes = append(s.volumes, v)
			continue
		}
		errs = errors.Join(errs, err)
		log.Error("a disk is left out", "disk", path, "error", err)
	}
	err := errs
	if len(s.volumes) > 0 && !errors.Is(errs, ErrInUse) {
		err = s.reconcile()
	}
	if err != nil || len(s.volumes) == 0 {
		for _, v := range s.volumes {
			v.abandon()
		}
		return nil, cmp.Or(err, errNoDisk)
	}
	for _, v := range s.volumes {
		v.start(o.IO)
	}
	return s, nil
}

// errNoDisk are options that name no disk.
var errNoDisk = errors.New("open the disks: none is named")

// volume is the one that an ID lives on: the highest bidder, so that few IDs move when a disk comes or goes.
func (s *Store) volume(id cache.ID) *volume {
	best, most := s.volumes[0], uint64(0)
	if len(s.volumes) == 1 {
		return best
	}
	for _, v := range s.volumes {
		if bid := mix(fingerprint(id) ^ uint64(v.seed)); bid >= most {
			best, most = v, bid
		}
	}
	return best
}

// mix spreads the bits of a number over all of it.
func mix(n uint64) uint64 {
	n ^= n >> 30
	n *= 0xbf58476d1ce4e5b9
	n ^= n >> 27
	n *= 0x94d049bb133111eb
	return n ^ n>>31
}

// Has tells from memory whether there may be records of that ID. While a disk loads, there may be any.
func (s *Store) Has(id cache.ID) bool {
	v := s.volume(id)
	return !v.loading.over() || v.directory.has(id)
}

// Load reads the heads of a key's records, newest first.
func (s *Store) Load(ctx context.Context, id cache.ID, key string) (records []cache.Record) {
	v := s.volume(id)
	var room [4]slot
	var queued [4]uint64
	var numbers [maxVariants]uint64
	newer := v.queue.variants(id, queued[:0]) // first: what is written meanwhile is found in neither
	for _, at := range v.directory.lookup(id, room[:0]) {
		if ctx.Err() != nil {
			break
		}
		if slices.Contains(newer, at.variant) {
			continue
		}
		r, number, ok := v.load(ctx.Done(), id, key, at)
		if !ok {
			continue
		}
		i, _ := slices.BinarySearchFunc(numbers[:len(records)], number, func(a, b uint64) int { return cmp.Compare(b, a) })
		copy(numbers[i+1:], numbers[i:len(records)])
		numbers[i] = number
		records = slices.Insert(records, i, r)
	}
	return records
}

// Put queues a record to be written. It is the store that decides on admission: with SecondHit, and once a disk is
// full, it takes an ID that it doesn't hold at the second offer; so what isn't taken may be offered again when it is
// used again. done is called by the goroutine that writes, and must not block.
func (s *Store) Put(r cache.Record, done func(written bool)) bool { return s.volume(r.ID).put(r, done) }

// Delete forgets the records of an ID.
func (s *Store) Delete(id cache.ID) { s.volume(id).delete(id) }

// Note writes a note to all disks, and returns when it survives. It is enough that one disk has taken it: those that
// have not get it when the store is opened again.
func (s *Store) Note(sequence uint64, text []byte) error {
	errs := make([]error, len(s.volumes))
	var wg sync.WaitGroup
	for i, v := range s.volumes[1:] {
		wg.Go(func() { errs[i+1] = v.note(note{sequence, text}) })
	}
	errs[0] = s.volumes[0].note(note{sequence, text})
	wg.Wait()
	if slices.Contains(errs, nil) {
		return nil
	}
	return errors.Join(errs...)
}

// note writes a note to a disk.
func (v *volume) note(n note) error {
	err := v.notes.add(n)
	if err != nil && !errors.Is(err, cache.ErrReleased) {
		v.writes.fault(v.log, "write a note", err)
	}
	return err
}

// Notes are those that were there when the store was opened.
func (s *Store) Notes() [][]byte { return s.notes }

// Oldest is the smallest Born of the records that are there or queued, or a lower one: those that were replaced or
// deleted count until all in their segment are. As long as a disk loads it is 0.
func (s *Store) Oldest() uint64 {
	oldest := uint64(math.MaxUint64)
	for _, v := range s.volumes {
		oldest = min(oldest, v.oldest())
	}
	return oldest
}

// Forget lets the notes up to a sequence go. They leave the disk later.
func (s *Store) Forget(sequence uint64) {
	for _, v := range s.volumes {
		v.forget(sequence)
	}
}

// Sequence is the largest sequence of a note and Born of a record that the store has seen.
func (s *Store) Sequence() (sequence uint64) {
	for _, v := range s.volumes {
		sequence = max(sequence, v.newest.Load(), v.notes.last())
	}
	return sequence
}

// Release writes what is queued as long as ctx allows, and lets go of the disks, for another process to open them. From then
// on nothing is taken and no note written, but what has been loaded can be read, as long as the other process keeps it,
// until Close. The error says that this process may still write to a disk, or what of the queue is lost.
func (s *Store) Release(ctx context.Context) error {
	errs := make([]error, len(s.volumes))
	var wg sync.WaitGroup
	for i, v := range s.volumes {
		wg.Go(func() { errs[i] = v.release(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Close writes what is queued as long as ctx allows, and ends the store.
func (s *Store) Close(ctx context.Context) error {
	errs := make([]error, len(s.volumes))
	var wg sync.WaitGroup
	for i, v := range s.volumes {
		wg.Go(func() { errs[i] = v.close(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// reconcile brings the disks' notes together. A disk that was away while notes came and were forgotten can't know
// which of its records they concerned: it is emptied.
func (s *Store) reconcile() error {
	var all []note
	var forgotten, sequence uint64
	for _, v := range s.volumes {
		all = append(all, v.notes.found...)
		forgotten, sequence = max(forgotten, v.notes.forgotten), max(sequence, v.notes.sequence)
	}
	all = distinct(all)
	for _, v := range s.volumes {
		if v.notes.sequence < forgotten && len(v.segments.list()) > 0 {
			v.log.Warn("the disk has missed purges, and is emptied")
			if err := v.wipe(); err != nil {
				return err
			}
		}
		if err := v.notes.rewrite(noteFile{forgotten: forgotten, sequence: sequence, notes: all}); err != nil {
			return err
		}
	}
	for _, n := range all {
		if n.sequence > forgotten {
			s.notes = append(s.notes, bytes.Clone(n.text))
		}
	}
	return nil
}
