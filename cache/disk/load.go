package disk

import (
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

// maxLoaders bounds the goroutines that read footers, so that a start leaves the processor to others.
const maxLoaders = 8

// loadAll fills the directory, the newest segments first. Until it is over, has answers that everything may be there.
func (v *volume) loadAll() {
	defer v.loading.finish()
	work := make(chan *segment)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), maxLoaders) {
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
