package cache_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// BenchmarkTierHit is a hit in memory with a store behind it.
func BenchmarkTierHit(b *testing.B) {
	const n = 10_000
	c, _ := tiered(b, newShelf(), func(o *cache.Options) { o.Memory = 1 << 30 })
	h := handle(c, &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText("content", "Cache-Control: max-age=86400", "Vary: Accept-Encoding"), nil
	}})
	for i := range n {
		get(h, "http://example.com/"+strconv.Itoa(i), browser[2][0]+": "+browser[2][1])
	}
	b.ReportAllocs()
	var buf [64]byte
	var fields cache.FieldReader = browser
	now, i := time.Now(), 0
	for b.Loop() {
		i++
		key := strconv.AppendInt(append(buf[:0], "http://example.com/"...), int64(i%n), 10)
		if found := c.Lookup(key, fields, now); found.State != cache.Fresh {
			b.Fatal(found.State)
		}
	}
}

// BenchmarkTierRecall is a hit on a real disk, in the kernel's memory, of what isn't in ours: 1 KiB and 1 MiB.
func BenchmarkTierRecall(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			const n = 32
			content := string(make([]byte, size))
			o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
				return respondText(content, "Cache-Control: max-age=86400"), nil
			}}
			dir := b.TempDir()
			c, stop := tiered(b, openDisk(b, dir), func(o *cache.Options) { o.Memory = 1 << 30 })
			for i := range n {
				get(handle(c, o), fmt.Sprint("http://example.com/", i))
			}
			stop()
			// Nothing stays in memory.
			c, _ = tiered(b, openDisk(b, dir), func(o *cache.Options) { o.Memory = 1 })
			h := handle(c, o)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				h.ServeHTTP(&discard{header: make(http.Header, 16)}, request(b.Context(), fmt.Sprint("http://example.com/", i%n)))
			}
			if asked := o.requests.Load(); asked != n {
				b.Errorf("the origin was asked %d times", asked-n)
			}
		})
	}
}

// BenchmarkTierPurge is a purge that is durable when it returns.
func BenchmarkTierPurge(b *testing.B) {
	c, _ := tiered(b, openDisk(b, b.TempDir()))
	for i := 0; b.Loop(); i++ {
		if r, err := c.Purge(cache.PurgeRequest{Tags: []string{strconv.Itoa(i)}}); err != nil || r.Warning != "" {
			b.Fatal(r, err)
		}
	}
}

// TestTierHitAllocatesNothing: a store behind memory costs hits in memory nothing.
func TestTierHitAllocatesNothing(t *testing.T) {
	c, _ := tiered(t, newShelf())
	get(handle(c, &originFunc{answer: fresh}), "http://example.com/0")
	key := cache.AppendKey(nil, "http", "example.com", "/0", "", false)
	var fields cache.FieldReader = browser
	if n := testing.AllocsPerRun(1000, func() {
		if found := c.Lookup(key, fields, time.Now()); found.State != cache.Fresh {
			t.Fatalf("found %+v", found)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
