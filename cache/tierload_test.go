package cache_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

const editionPaths = 20

// editions is an origin whose contents change, and a client that knows which may be served.
type editions struct {
	current [editionPaths]atomic.Int64
	purged  [editionPaths]atomic.Int64 // the least edition that may be served: older ones were purged, for good
	posted  [editionPaths]atomic.Int64 // as much, as long as the process lives
	disk    atomic.Int64
}

func (e *editions) RoundTrip(r *http.Request) (*http.Response, error) {
	n := pathNumber(r)
	if r.Method == http.MethodPost {
		return respondText(""), nil
	}
	edition := e.current[n].Load()
	response := respondText(editionContent(n, edition), "Cache-Control: max-age=3600", fmt.Sprintf("Cache-Tag: t%d", n), "Vary: X")
	response.ContentLength = -1 // so that a budget that is used up doesn't keep it from being stored
	return response, nil
}

func pathNumber(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.Path[1:])
	return n
}

// editionContent is longer than what is promoted for one in four.
func editionContent(n int, edition int64) string {
	line := fmt.Sprintf("%d %d\n", n, edition)
	if n%4 == 0 {
		return strings.Repeat(line, 300<<10/len(line))
	}
	return strings.Repeat(line, 100)
}

func (e *editions) get(t *testing.T, h http.Handler) {
	n := rand.IntN(editionPaths)
	least := max(e.purged[n].Load(), e.posted[n].Load())
	w := httptest.NewRecorder()
	defer func() {
		if recover() != nil {
			return // aborted: what came is a part, and the client knows
		}
		var path int
		var edition int64
		if _, err := fmt.Sscanf(w.Body.String(), "%d %d\n", &path, &edition); err != nil || w.Body.String() != editionContent(n, edition) || path != n {
			t.Errorf("/%d: wrong content of %d octets: %v", n, w.Body.Len(), w.Header())
		} else if edition < least {
			t.Errorf("/%d: edition %d, want %d at least: %v", n, edition, least, w.Header())
		}
		if hit(w.Header().Get("Cache-Status")) == "disk" {
			e.disk.Add(1)
		}
	}()
	r := httptest.NewRequest(http.MethodGet, fmt.Sprintf("http://example.com/%d", n), nil)
	if rand.IntN(2) == 0 {
		r.Header.Set("X", "x")
	}
	h.ServeHTTP(w, r)
}

// change makes a new edition and tells the cache, in one way or another.
func (e *editions) change(t *testing.T, c *cache.Cache, h http.Handler) {
	n := rand.IntN(editionPaths)
	edition := e.current[n].Add(1)
	switch rand.IntN(4) {
	case 0:
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, fmt.Sprintf("http://example.com/%d", n), nil))
		raise(&e.posted[n], edition)
		return
	case 1:
		purge(t, c, cache.PurgeRequest{URLs: []string{fmt.Sprintf("http://example.com/%d", n)}})
	case 2:
		purge(t, c, cache.PurgeRequest{Tags: []string{fmt.Sprintf("t%d", n)}})
	case 3:
		purge(t, c, cache.PurgeRequest{Prefixes: []string{fmt.Sprintf("example.com/%d", n)}})
	}
	raise(&e.purged[n], edition)
}

func raise(a *atomic.Int64, n int64) {
	for old := a.Load(); old < n && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}

// TestNothingPurgedComesBack: whatever is stored, evicted, loaded, purged, damaged and killed at the same time, nobody
// gets what was purged before they asked, or what the origin never sent.
func TestNothingPurgedComesBack(t *testing.T) {
	e, s := new(editions), newShelf()
	for range 8 {
		s.damage = func(string, int64) error {
			if rand.IntN(100) == 0 {
				return errDamaged
			}
			return nil
		}
		s.refuse = func(cache.Record) bool { return rand.IntN(10) == 0 }
		c, stop := tiered(t, s, func(o *cache.Options) { o.Memory = 3 << 20 })
		h := handle(c, e)
		var wg sync.WaitGroup
		for worker := range 6 {
			wg.Go(func() {
				for i := range 150 {
					if worker == 0 && i%3 == 0 {
						e.change(t, c, h)
					}
					e.get(t, h)
				}
			})
		}
		wg.Wait()
		killed := s.restarted()
		stop()
		s = killed
		for n := range e.posted { // invalidations may be lost, purges not
			e.posted[n].Store(0)
		}
	}
	if e.disk.Load() == 0 {
		t.Error("nothing came from disk")
	}
}
