package disk

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// volume is one disk.
type volume struct {
	path        string
	size        int64
	segmentSize int64
	minFree     float64
	slow        time.Duration
	log         *slog.Logger
	fs          fileSystem
	seed        seed
	lock        *os.File

	directory *directory
	segments  segments
	queue     *queue
	readers   readers
	writer    writer
	notes     noteLog
	noteBytes atomic.Int64 // what the notes take of the disk
	door      *doorkeeper  // nil when everything is written

	writes  breaker
	reads   breaker
	full    atomic.Bool   // something has been evicted
	low     atomic.Bool   // the file system's floor is reached
	limit   atomic.Int64  // what the disk may hold of ours: size, or what the floor leaves
	newest  atomic.Uint64 // the largest Born that was seen
	writing atomic.Int64  // since when a write is under way, in Unix nanoseconds; 0 for none
	figures figures

	loading *loading
	untidy  atomic.Bool // there are notes that nobody needs

	released atomic.Bool // another process may have the directory

	life  context.Context // ends when nothing is read or written any more
	end   context.CancelFunc
	write context.Context // ends when the writer must stop
	halt  context.CancelFunc
	wg    sync.WaitGroup // the writer
	aux   sync.WaitGroup // readers, loaders, the keeper
}

// openVolume opens a disk and starts its goroutines, which close ends.
func openVolume(path string, o Options, log *slog.Logger, fs fileSystem) (*volume, error) {
	v := &volume{
		path: path, size: o.Size, segmentSize: o.segment(), minFree: o.MinFree, slow: o.Slow, log: log.With("disk", path), fs: fs,
		queue:  newQueue(o.Queue),
		writes: breaker{limit: 1, rest: o.Rest}, reads: breaker{limit: 3, rest: o.Rest}, loading: newLoading(),
	}
	v.directory = newDirectory(v.segments.count)
	if o.Admission == SecondHit {
		v.door = new(doorkeeper)
	}
	v.readers = readers{v: v, queue: make(chan *reading)}
	v.writer = writer{v: v}
	v.notes = noteLog{v: v}
	if err := v.open(); err != nil {
		v.abandon()
		return nil, fmt.Errorf("open the disk %s: %w", path, err)
	}
	v.life, v.end = context.WithCancel(context.Background())
	v.write, v.halt = context.WithCancel(v.life)
	return v, nil
}

// start starts the goroutines.
func (v *volume) start(io int) {
	v.full.Store(v.used()+3*v.segmentSize > v.size) // the one to write, the reserve, and what sealing gave back
	v.limit.Store(v.size)
	v.measure()
	v.readers.since = make([]atomic.Int64, io)
	for i := range io {
		v.aux.Go(func() { v.readers.run(i) })
	}
	v.aux.Go(v.loadAll)
	v.aux.Go(v.keep)
	v.wg.Go(func() { v.writer.run(v.write) })
}

// open takes the directory and finds out what is in it.
func (v *volume) open() (err error) {
	if err := os.MkdirAll(v.path, 0o700); err != nil {
		return err
	}
	if v.lock, err = lock(filepath.Join(v.path, lockName)); err != nil {
		return err
	}
	if err := v.identify(); err != nil {
		return err
	}
	known, err := v.notes.open()
	if err != nil {
		return err
	}
	if !known {
		return v.wipe()
	}
	return v.survey()
}

// wipe removes all records.
func (v *volume) wipe() error {
	for _, g := range v.segments.list() {
		v.drop(g)
	}
	list, err := v.fs.ReadDir(v.path)
	if err != nil {
		return err
	}
	for _, e := range list {
		if _, ok := segmentSerial(e.Name()); !ok {
			continue
		}
		if err := v.fs.Remove(filepath.Join(v.path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// put queues a record. Where it isn't taken, what the disk has of it is forgotten: an older version must not come back
// once memory has let the newer one go.
func (v *volume) put(r cache.Record, done func(written bool)) bool {
	if v.takes(&r) && v.queue.put(newItem(r, done)) {
		raise(&v.newest, r.Born)
		return true
	}
	v.directory.hide(r.ID, r.Variant)
	v.figures.refused.Add(1)
	return false
}

// takes tells whether a record may be written.
func (v *volume) takes(r *cache.Record) bool {
	h := head{length: r.Content.Size(), key: len(r.Key), meta: len(r.Meta)}
	if h.key > maxKey || h.meta > maxMeta || h.size() > v.segmentSize-prefixSize-footerSize(1) || !v.writable() {
		return false
	}
	return v.door == nil || !v.full.Load() || v.directory.has(r.ID) || v.door.knows(r.ID)
}

// writable tells whether the disk takes anything now.
func (v *volume) writable() bool { return !v.low.Load() && v.writes.allows() }

// delete forgets an ID's records. While the disk loads, it makes sure that they aren't loaded.
func (v *volume) delete(id cache.ID) {
	v.loading.forbid(id)
	v.queue.delete(id)
	v.directory.delete(id)
}

// oldest is the smallest Born of what is there or queued, or a lower one: 0 as long as it isn't known.
func (v *volume) oldest() uint64 {
	if !v.loading.over() {
		return 0
	}
	queued := v.queue.oldest() // first: what leaves the queue is found in a segment
	return min(queued, v.segments.oldest())
}

// corrupt drops a record that isn't what was written.
func (v *volume) corrupt(id cache.ID, variant uint64, p place, err error) {
	v.figures.corrupt.Add(1)
	if v.directory.remove(id, variant, p) {
		v.log.Warn("a record is damaged, and forgotten", "segment", segmentName("", p.serial), "offset", p.at(), "error", err)
	}
}

// used is what the disk holds of ours. Notes count twice: they are copied when they are tidied.
func (v *volume) used() int64 { return v.segments.bytes() + 2*v.noteBytes.Load() }

// raise sets a to n where that is larger.
func raise(a *atomic.Uint64, n uint64) {
	for old := a.Load(); n > old && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}
