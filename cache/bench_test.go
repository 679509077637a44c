package cache_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

// requestFields is a header section as a server loop of our own would hold it: lines in the order they came.
type requestFields [][2]string

func (f requestFields) Line(name string, i int) (string, bool) {
	for _, line := range f {
		if line[0] == name {
			if i == 0 {
				return line[1], true
			}
			i--
		}
	}
	return "", false
}

var browser = requestFields{
	{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
	{"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"},
	{"Accept-Encoding", "gzip, deflate, br, zstd"},
	{"Accept-Language", "en-US,en;q=0.5"},
	{"Cookie", "session=0123456789abcdef"},
}

// everything keeps all that is stored, so that the benchmark's figures are the cache's own.
type everything struct{}

func (everything) Start(func(uint64), func(uint64) uint32) {}
func (everything) Admit(uint64, int64) bool                { return true }
func (everything) Remove(uint64)                           {}
func (everything) Limit() int64                            { return 1 << 40 }
func (everything) Resize(int64)                            {}
func (everything) Close()                                  {}

// stored returns a cache with n responses of 1 KiB, with Vary as real ones have it.
func stored(tb testing.TB, n int, r cache.Residency) *cache.Cache {
	return storedWith(tb, n, r, func(string) []string { return nil })
}

// storedWith adds fields by the path, which is a number.
func storedWith(tb testing.TB, n int, r cache.Residency, more func(path string) []string) *cache.Cache {
	content := make([]byte, 1024)
	fields := []string{
		"Cache-Control: public, max-age=86400", `Etag: "0123456789abcdef"`, "Content-Type: text/html; charset=utf-8",
		"Vary: Accept-Encoding", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", "Server: origin",
	}
	o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		return respond(bytes.NewReader(content), int64(len(content)), append(more(r.URL.Path[1:]), fields...)...), nil
	}}
	c := cacheWith(tb, r)
	h := handle(c, o)
	for i := range n {
		r := &http.Request{
			Method: http.MethodGet, Host: "example.com", URL: &url.URL{Path: "/" + strconv.Itoa(i)},
			Header: http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}},
		}
		h.ServeHTTP(&discard{header: make(http.Header, 8)}, r)
	}
	if got := c.Stats().Responses; got != int64(n) {
		tb.Fatalf("%d of %d responses are stored", got, n)
	}
	return c
}

func TestHitAllocatesNothing(t *testing.T) {
	c := newCache(t)
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText("hello", "Cache-Control: max-age=60", "Vary: Accept-Encoding, Accept-Language"), nil
	}}
	get(handle(c, o), "http://example.com/0", "Accept-Encoding: br;q=1.0,GZIP", "Accept-Language: en-us, en;q=0.5")
	var fields cache.FieldReader = requestFields{{"Accept-Encoding", "gzip , br"}, {"Accept-Language", "en-US,en;q=0.5"}, {"If-None-Match", `"x"`}}
	buf := make([]byte, 0, 128)
	if n := testing.AllocsPerRun(1000, func() {
		key := cache.AppendKey(buf, "http", "EXAMPLE.com:80", "/0", "", false)
		if found := c.Lookup(key, fields, time.Now()); found.State != cache.Fresh {
			t.Fatalf("found %+v", found)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkHit is a hit in the cache alone: key, lookup, freshness, variant, and the response ready to be written. Keys are
// uniformly random, so that at a million each hit finds nothing of its own in the processor's caches, or as the web asks
// for them. cpu-ns/op leaves
// out what others do on a shared machine.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		var c *cache.Cache
		b.Run(strconv.Itoa(n), func(sub *testing.B) {
			if c == nil {
				c = stored(b, n, everything{})
				runtime.GC()
			}
			hits(sub, c, uniform(n, 0))
		})
		b.Run(strconv.Itoa(n)+"/zipf", func(sub *testing.B) {
			z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, uint64(n-1))
			hits(sub, c, func() int64 { return int64(z.Uint64()) })
		})
	}
}

// uniform draws from n responses, except those of the groups that were purged.
func uniform(n, purged int) func() int64 {
	return func() int64 { return int64(rand.IntN(n/tagGroups)*tagGroups + purged + rand.IntN(tagGroups-purged)) }
}

// hits looks up the responses that next names.
func hits(b *testing.B, c *cache.Cache, next func() int64) {
	b.ReportAllocs()
	b.ResetTimer()
	began := cpuTime()
	var buf, path [64]byte
	var fields cache.FieldReader = browser
	now := time.Now()
	length := int64(0)
	for range b.N {
		p := strconv.AppendInt(append(path[:0], '/'), next(), 10)
		key := cache.AppendKey(buf[:0], "http", "example.com", string(p), "", false)
		found := c.Lookup(key, fields, now)
		if found.State != cache.Fresh {
			b.Fatal(found.State)
		}
		length += found.Response.Length() + int64(len(found.Response.FieldBlock()))
	}
	b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
	if length == 0 {
		b.Fatal("the responses are empty")
	}
}

// cpuTime is what the process has used, in nanoseconds.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// maxOverhead is what a stored response may cost beyond its content and fields, in bytes.
const maxOverhead = 600

// TestOverhead holds the overhead of a stored response down, and what the cache believes it to be near the truth.
func TestOverhead(t *testing.T) {
	c, overhead := weigh(t, 20_000)
	t.Logf("%.0f B of overhead for each response", overhead)
	if overhead > maxOverhead {
		t.Errorf("a response costs %.0f B beyond its content and fields", overhead)
	}
	s := c.Stats()
	if believed := float64(s.Bytes)/float64(s.Responses) - visible(c); math.Abs(believed-overhead) > 60 {
		t.Errorf("the cache believes that it is %.0f B, and it is %.0f", believed, overhead)
	}
}

// BenchmarkOverhead reports it for as many responses as a large node has.
func BenchmarkOverhead(b *testing.B) {
	for b.Loop() {
		_, overhead := weigh(b, 1_000_000)
		b.ReportMetric(overhead, "B/response")
	}
	b.ReportMetric(0, "ns/op")
}

// weigh stores n responses and tells what each takes of the heap beyond its content and fields.
func weigh(tb testing.TB, n int) (*cache.Cache, float64) {
	before := heapInUse()
	c := stored(tb, n, memory.New(16<<30))
	return c, float64(heapInUse()-before)/float64(n) - visible(c)
}

// visible is the content and the fields of each response that stored makes.
func visible(c *cache.Cache) float64 {
	r := c.Lookup([]byte("http://example.com/0"), browser, time.Now()).Response
	return float64(r.Length() + int64(len(r.FieldBlock())))
}

// heapInUse is what objects take, each rounded up to its size class; what lies free between them is for the next ones.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first found in use by finalizers and pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// tagGroups is how many tags the responses share, beside one that each has for itself.
const tagGroups = 1000

func tagged(path string) []string {
	n, _ := strconv.Atoi(path)
	return []string{"Cache-Tag: page-" + path + ", group-" + strconv.Itoa(n%tagGroups)}
}

// BenchmarkPurgeTag is a purge of one response in a thousand of a million, then a hit while the sweep behind it is under
// way, and one after it.
func BenchmarkPurgeTag(b *testing.B) {
	const n = 1_000_000
	var c *cache.Cache
	purges := 0
	purge := func(b *testing.B) {
		result, err := c.Purge(cache.PurgeRequest{Tags: []string{"group-" + strconv.Itoa(purges)}})
		if err != nil || result.Count != n/tagGroups {
			b.Fatalf("purged %d: %v", result.Count, err)
		}
		purges++
	}
	swept := func() bool { return c.Stats().Responses == int64(n-purges*n/tagGroups) }
	measure := func(name string, f func(b *testing.B)) {
		b.Run(name, func(sub *testing.B) {
			if c == nil {
				c = storedWith(b, n, everything{}, tagged)
				sub.ResetTimer()
			}
			f(sub)
		})
	}
	measure("hit before", func(b *testing.B) { hits(b, c, uniform(n, purges)) })
	measure("purge", func(b *testing.B) {
		began, n := time.Now(), min(b.N, tagGroups/2)
		for range n {
			purge(b)
		}
		b.ReportMetric(float64(time.Since(began))/float64(n), "ns/purge")
		b.ReportMetric(0, "ns/op")
	})
	measure("hit while swept", func(b *testing.B) { purge(b); hits(b, c, uniform(n, purges)) })
	measure("hit after", func(b *testing.B) {
		for !swept() {
			time.Sleep(time.Millisecond)
		}
		hits(b, c, uniform(n, purges))
	})
}

// BenchmarkFill is a miss that is stored: beyond the content, what it takes is the price of the fill itself.
func BenchmarkFill(b *testing.B) {
	for _, size := range []int64{10 << 10, 1 << 20} {
		for name, length := range map[string]int64{"length known": size, "chunked": -1} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
					return respond(zeros(size), length, "Cache-Control: max-age=60"), nil
				}}
				h := handle(newCache(b), o)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					r := &http.Request{Method: http.MethodGet, Host: "example.com", URL: &url.URL{Path: "/" + strconv.Itoa(i)}, Header: http.Header{}}
					h.ServeHTTP(&discard{header: make(http.Header, 8)}, r)
				}
			})
		}
	}
}

func BenchmarkHandlerHit(b *testing.B) {
	c := stored(b, 1000, everything{})
	h := handle(c, &originFunc{})
	r := request(b.Context(), "http://example.com/7", "Accept-Encoding: gzip, deflate, br, zstd")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&discard{header: make(http.Header, 16)}, r)
	}
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkMemory is one read from a random place of that many bytes, whose address the read before has told: what the
// machine takes for each of the two reads that a hit waits for, of the index and of the response. With a million responses
// of 1 KiB the heap is about 2 GiB.
func BenchmarkMemory(b *testing.B) {
	type line struct {
		next uint32
		_    [60]byte
	}
	for _, size := range []int{1 << 20, 64 << 20, 2 << 30} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			lines := make([]line, size/64)
			order := rand.Perm(len(lines))
			for i, at := range order {
				lines[at].next = uint32(order[(i+1)%len(order)])
			}
			at := uint32(0)
			for b.Loop() {
				at = lines[at].next
			}
			if int(at) >= len(lines) {
				b.Fatal(at)
			}
		})
	}
}
