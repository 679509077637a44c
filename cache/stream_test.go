package cache_test

import (
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// period is that of the content that countdown makes: no chunk is a multiple of it.
const period = 251

// countdown is a content each octet of which tells where it belongs.
type countdown struct{ at int }

func (c *countdown) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte((c.at + i) % period)
	}
	c.at += len(p)
	return len(p), nil
}

// slowClient takes its time over each piece, and then looks at it.
type slowClient struct {
	client
	pause time.Duration
	at    int
	wrong bool
}

func (c *slowClient) Write(p []byte) (int, error) {
	time.Sleep(c.pause)
	for i := range p {
		c.wrong = c.wrong || p[i] != byte((c.at+i)%period)
	}
	c.at += len(p)
	return len(p), nil
}

// TestMemoryIsUsedAgain: of a content that isn't kept, what has passed all readers makes room for what comes; but not
// under the hands of one that is still at work on it, even if the others stopped waiting for it.
func TestMemoryIsUsedAgain(t *testing.T) {
	const size = 32 << 20
	synctest.Test(t, func(t *testing.T) {
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respond(io.LimitReader(&countdown{}, size), -1, "Cache-Control: max-age=60"), nil
		}}
		h := handle(newCache(t, func(o *cache.Options) { o.MaxObject = 1 << 20 }), o)
		clients := []*slowClient{{}, {pause: time.Millisecond}, {pause: 300 * time.Millisecond}, {pause: time.Minute}}
		var wg sync.WaitGroup
		for _, c := range clients {
			c.client = *newClient(nil)
			wg.Go(func() { serveAborted(h, c, request(t.Context(), "http://example.com/")) })
		}
		wg.Wait()
		for i, c := range clients {
			if c.wrong || c.at != size && i != len(clients)-1 {
				t.Errorf("client %d got %d bytes; wrong ones: %v", i, c.at, c.wrong)
			}
		}
		if o.requests.Load() != 1 {
			t.Errorf("%d requests", o.requests.Load())
		}
	})
}

// TestPassingIsFree: a content that is too large to be stored passes through a window of memory.
func TestPassingIsFree(t *testing.T) {
	const size, bound = 256 << 20, 16 << 20
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respond(zeros(size), -1, "Cache-Control: max-age=60"), nil
	}}
	h := handle(newCache(t, func(o *cache.Options) { o.MaxObject = 1 << 20 }), o)
	m := &meter{client: *newClient(nil)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(m, request(t.Context(), "http://example.com/"))
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; m.written != size || used > bound {
		t.Errorf("%d bytes passed, and took %d MiB", m.written, used>>20)
	}
}
