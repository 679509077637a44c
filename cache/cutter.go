package cache

import (
	"io"
	"math"
	"net/http"
	"sync"
	"time"
)

const (
	// cutAhead is how many slices beyond the present one a reader may wait for, instead of asking for it by itself.
	cutAhead = 2
	// cutPatience is how long a cutter waits for a reader that wants more, before it lets the origin go: what is still
	// missing is then fetched slice by slice.
	cutPatience = 5 * time.Second
)

// cutter cuts a content into slices as it comes from the origin. Each is stored once it is complete; readers may follow
// the one that comes, and wait for those that come next. The next slice isn't begun before a reader wants it or one
// behind it, so that the origin is never far ahead of the fastest reader, and the others find the slices stored. Memory
// holds no more of the content than a few slices, however large it is.
//
// Its goroutine is that of the fill. It ends with the content, when all readers have left, or when none wants more for
// cutPatience.
type cutter struct {
	f    *fill
	of   *sliced
	last int64

	mu      sync.Mutex // guards the following fields
	next    int64      // the slice that comes, or is the next to come; beyond all when it is over
	coming  map[int64]*stream
	wanted  int64 // the last slice that a reader wanted
	readers int
	entered bool          // there was a reader
	news    chan struct{} // closed when wanted or readers change, nil when nobody waits for that
}

// cut reads a content into slices, unless that is being done already.
func (f *fill) cut(response *http.Response) (rest func()) {
	f.flow().drop() // each slice pays for itself
	of := f.stored.slices()
	k := &cutter{f: f, of: of, last: of.last(), wanted: -1, coming: make(map[int64]*stream)}
	first := of.cutter.CompareAndSwap(nil, k)
	f.c.flights.detach(f)
	f.answered.tell()
	return func() {
		defer f.cancel()
		defer response.Body.Close()
		if first {
			k.run(response.Body)
		}
	}
}

func (k *cutter) run(content io.Reader) {
	defer k.end()
	for index := int64(0); index <= k.last && k.await(index); index++ {
		if err := k.bring(index, content); err != nil {
			return
		}
	}
}

// bring reads one slice.
func (k *cutter) bring(index int64, content io.Reader) error {
	if index < k.last {
		content = io.LimitReader(content, k.of.span(index).Length)
	}
	f := k.f.c.sliceFill(k.f.target, k.f.stored, index)
	f.request, f.began, f.status = k.f.request, time.Now(), k.f.status
	f.stream.Store(k.stream(index))
	f.prepare(k.of.span(index).Length)
	err := f.take(content, &http.Response{})
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.coming, index)
	k.next = index + 1
	return err
}

// stream returns that of a slice which comes, or will. Where its begin is gone, attach will say so.
func (k *cutter) stream(index int64) *stream {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.streamLocked(index)
}

func (k *cutter) streamLocked(index int64) *stream {
	s := k.coming[index]
	if s == nil {
		s = newStream(&k.f.c.fills)
		k.coming[index] = s
	}
	return s
}

// join returns a reader of a slice that comes, or will soon; nil for any other.
func (k *cutter) join(index int64) *streamReader {
	k.mu.Lock()
	defer k.mu.Unlock()
	if index < k.next || index > min(k.next+cutAhead, k.last) {
		return nil
	}
	k.wanted = max(k.wanted, index)
	wake(&k.news)
	return k.streamLocked(index).attach()
}

// enter and leave tell of somebody who reads the content, wherever.
func (k *cutter) enter() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.readers++
	k.entered = true
}

func (k *cutter) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.readers--
	wake(&k.news)
}

// await waits until a reader wants a slice, or one behind it; false when the cutter shall end.
func (k *cutter) await(index int64) bool {
	patience := time.NewTimer(cutPatience)
	defer patience.Stop()
	for {
		wanted, news := k.isWanted(index)
		if news == nil {
			return wanted
		}
		select {
		case <-news:
		case <-patience.C:
			return false
		case <-k.f.request.Context().Done():
			return false
		}
	}
}

// isWanted decides whether to go on, or returns a channel that is closed when that may be decided.
func (k *cutter) isWanted(index int64) (wanted bool, news chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.wanted >= index:
		return true, nil
	case k.entered && k.readers == 0:
		return false, nil
	}
	if k.news == nil {
		k.news = make(chan struct{})
	}
	return false, k.news
}

// end lets go of readers that wait for slices which won't come.
func (k *cutter) end() {
	k.of.cutter.CompareAndSwap(k, nil)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = math.MaxInt64
	for _, s := range k.coming {
		s.end(0, io.ErrUnexpectedEOF)
	}
}
