package disk

import (
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/anyedge/anyedge/cache"
)

// loading is what is known while the directory is filled from the footers.
type loading struct {
	done chan struct{} // closed at its end

	mu      sync.Mutex // guards the following field
	deleted map[uint64]struct{}
}

func newLoading() *loading {
	return &loading{done: make(chan struct{}), deleted: make(map[uint64]struct{})}
}

// over tells whether everything is loaded.
func (l *loading) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// forbid keeps an ID from being loaded.
func (l *loading) forbid(id cache.ID) {
	if l.over() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deleted != nil {
		l.deleted[fingerprint(id)] = struct{}{}
	}
}

// enter calls f unless the ID was deleted.
func (l *loading) enter(id cache.ID, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, deleted := l.deleted[fingerprint(id)]; !deleted {
		f()
	}
}

func (l *loading) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deleted = nil
	close(l.done)
}

// survey opens the segments. It walks those without a footer, of which there is one after a crash, and seals them, so
// that each is walked once.
func (v *volume) survey() error {
	list, err := v.fs.ReadDir(v.path)
	if err != nil {
		return err
	}
	var serials []uint32
	for _, e := range list {
		if serial, ok := segmentSerial(e.Name()); ok {
			serials = append(serials, serial)
		}
	}
	slices.Sort(serials)
	for _, serial := range serials {
		v.writer.serial = max(v.writer.serial, serial)
		if err := v.openSegment(serial); err != nil {
			v.log.Warn("a segment can't be read, and is removed", "segment", segmentName("", serial), "error", err)
			if err := v.fs.Remove(segmentName(v.path, serial)); err != nil {
				return err
			}
		}
	}
	return v.fit()
}

func (v *volume) openSegment(serial uint32) error {
	g := &segment{serial: serial, path: segmentName(v.path, serial)}
	f, err := v.fs.Open(g.path)
	if err != nil {
		return err
	}
	g.file = f
	if err := v.surveySegment(g); err != nil {
		g.close()
		return err
	}
	v.segments.add(g)
	return nil
}

// errEmpty is a segment without a record.
var errEmpty = errors.New("it is empty")

func (v *volume) surveySegment(g *segment) error {
	var b [prefixSize]byte
	if err := readFull(g.file, b[:], 0); err != nil {
		return err
	}
	if !isPrefix(b[:], v.seed, g.serial) {
		return errDamaged
	}
	sum, sealed := g.readSummary(v.seed)
	if !sealed {
		found, err := g.walk(v.seed)
		if err != nil {
			return err
		}
		if len(found.list) == 0 {
			return errEmpty
		}
		sum = found.summary
		v.sealFound(g, found)
	}
	size, err := g.file.Size()
	if err != nil {
		return err
	}
	g.bytes.Store(size)
	g.oldest.Store(sum.oldest)
	v.writer.number = max(v.writer.number, sum.number)
	raise(&v.newest, sum.newest)
	return nil
}

// sealFound writes the footer of a segment that was walked. Where that fails it is walked again next time.
func (v *volume) sealFound(g *segment, found scanned) {
	b := appendFooter(nil, v.seed, g.serial, found.list, found.summary)
	err := g.file.Truncate(found.end)
	if err == nil {
		_, err = g.file.WriteAt(b, found.end)
	}
	if err != nil {
		v.log.Warn("a segment isn't sealed", "segment", filepath.Base(g.path), "error", err)
		_ = g.file.Truncate(found.end)
	}
}

// fit removes the oldest segments of a disk that was larger.
func (v *volume) fit() error {
	for v.used()+v.segmentSize > v.size {
		all := v.segments.list()
		if len(all) == 0 {
			return errNoRoom
		}
		v.full.Store(true)
		v.drop(all[0])
	}
	return nil
}

// loadAll fills the directory, the newest segments first. Until it is over, has answers that everything may be there.
func (v *volume) loadAll() {
	defer v.loading.finish()
	work := make(chan *segment)
	var wg sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for g := range work {
				v.loadSegment(g)
			}
		})
	}
	all := v.segments.list()
	slices.Reverse(all)
	for _, g := range all {
		if v.life.Err() != nil {
			break
		}
		work <- g
	}
	close(work)
	wg.Wait()
}

// loadSegment enters a segment's records.
func (v *volume) loadSegment(g *segment) {
	if !g.acquire() {
		return
	}
	defer g.release()
	found, err := g.contents(v.seed)
	if err != nil {
		v.log.Warn("a segment can't be read", "segment", filepath.Base(g.path), "error", err)
	}
	for _, e := range found.list {
		v.loading.enter(e.id, func() {
			v.directory.put(e.id, e.variant, place{g.serial, e.offset}, e.head)
		})
	}
}

// awaitLoaded waits until every segment's records are known, or the disk is closed.
func (v *volume) awaitLoaded() error {
	select {
	case <-v.loading.done:
		return nil
	case <-v.write.Done():
		return v.write.Err()
	}
}
