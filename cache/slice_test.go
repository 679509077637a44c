package cache_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
)

const mebi = 1 << 20

// TestRangesOfTenGibibytes: what is wanted of a cold content is asked for in whole slices, and nothing else; what came
// once isn't asked for again.
func TestRangesOfTenGibibytes(t *testing.T) {
	const size = 10 << 30
	for _, tt := range []struct {
		field      string
		status     int
		length     int64
		cold, warm string
		octets     int64 // asked of the origin when cold
		requests   int64
	}{
		{"bytes=0-99", 206, 100, "fwd=uri-miss; fwd-status=206; stored", "hit; ttl=60", mebi, 1},
		{"bytes=5000000000-5000000099", 206, 100, "fwd=uri-miss; fwd-status=206; stored", "hit; ttl=60", mebi, 1},
		{"bytes=1048570-1048585", 206, 16, "fwd=uri-miss; fwd-status=206; stored", "hit; ttl=60", 2 * mebi, 2},
		{"bytes=7340032-10485759", 206, 3 * mebi, "fwd=uri-miss; fwd-status=206; stored", "hit; ttl=60", 3 * mebi, 3},
		{"bytes=10737418230-", 206, 10, "fwd=uri-miss; fwd-status=206; stored", "hit; ttl=60", mebi, 1},
		{"bytes=-10", 206, 10, "fwd=uri-miss; fwd-status=206; stored", "hit; ttl=60", 2 * mebi, 2},
		{"bytes=10737418240-", 416, 0, "fwd=uri-miss; fwd-status=416; detail=partial", "fwd=uri-miss; fwd-status=416; detail=partial", 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newFilm(size)
			h := handle(newCache(t), o)
			v, _ := watch(h, 0, "Range: "+tt.field)
			v.check(t, tt.status, tt.length, tt.cold)
			synctest.Wait()
			if got := o.octets.Load(); got != tt.octets || o.requests.Load() != tt.requests {
				t.Errorf("%s: the origin gave %d octets in %d requests", tt.field, got, o.requests.Load())
			}
			before := o.octets.Load()
			v, _ = watch(h, 0, "Range: "+tt.field)
			v.check(t, tt.status, tt.length, tt.warm)
			if got := o.octets.Load(); got != before {
				t.Errorf("%s: the origin gave %d octets once more", tt.field, got-before)
			}
		})
	}
}

// TestPartlyStored: what is missing between slices that are stored comes from the origin, the rest doesn't.
func TestPartlyStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFilm(10 << 30)
		h := handle(newCache(t), o)
		watch(h, 0, "Range: bytes=1048576-1048577")
		watch(h, 0, "Range: bytes=3145728-3145729")
		synctest.Wait()
		o.octets.Store(0)
		v, _ := watch(h, 0, "Range: bytes=1048576-5242879")
		v.check(t, 206, 4*mebi, "fwd=partial; ttl=60")
		if got := o.octets.Load(); got != 2*mebi {
			t.Errorf("the origin gave %d octets", got)
		}
		v, _ = watch(h, 0, "Range: bytes=6291456-6291457")
		v.check(t, 206, 2, "fwd=partial; fwd-status=206; ttl=60; stored")
	})
}

// TestWholeIsCutAsItComes: one request for the whole fills all slices, by one request to the origin.
func TestWholeIsCutAsItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 9*mebi + 5
		o := newFilm(size)
		h := handle(newCache(t), o)
		v, _ := watch(h, 0)
		v.check(t, 200, size, "fwd=uri-miss; fwd-status=200; stored")
		v, _ = watch(h, 0)
		v.check(t, 200, size, "hit; ttl=60")
		v, _ = watch(h, 0, "Range: bytes=-7")
		v.check(t, 206, 7, "hit; ttl=60")
		if o.requests.Load() != 1 || o.octets.Load() != size {
			t.Errorf("the origin gave %d octets in %d requests", o.octets.Load(), o.requests.Load())
		}
	})
}

// TestManyClientsOfOneLargeContent: whole and in parts, at the same time and later, they cost the origin little more than
// the content once. Those that begin further on than the whole has come, as happens on a busy machine, may cost each
// slice once more; never more than that.
func TestManyClientsOfOneLargeContent(t *testing.T) {
	const size = 24 * mebi
	o := newFilm(size)
	h := handle(newCache(t, func(o *cache.Options) { o.Memory = 256 << 20 }), o)
	var clients sync.WaitGroup
	for i := range 40 {
		clients.Go(func() {
			fields := []string{}
			if i%2 == 1 {
				fields = append(fields, fmt.Sprintf("Range: bytes=%d-", i*mebi/2))
			}
			if v, aborted := watch(h, 0, fields...); aborted || v.wrong >= 0 || v.pos != size {
				t.Errorf("client %d: %+v", i, v)
			}
		})
	}
	clients.Wait()
	if got := o.octets.Load(); got > 2*size {
		t.Errorf("the origin gave %d octets of %d", got, size)
	}
}

// TestLargeContentInLittleMemory: however large a content is, and whether a slow client reads it or a fast one, it takes
// the memory of a few slices besides what is stored.
func TestLargeContentInLittleMemory(t *testing.T) {
	const size, memory = 192 * mebi, 16 << 20
	o := newFilm(size)
	c := newCache(t, func(o *cache.Options) { o.Memory = memory })
	h := handle(c, o)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most, writes := uint64(0), 0
	look := func() {
		if writes++; writes%64 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		if held := c.Stats().FillBytes; held > 4*mebi {
			t.Errorf("fills hold %d octets", held)
		}
	}
	v := &viewer{header: make(http.Header), wrong: -1, onWrite: look}
	h.ServeHTTP(v, request(t.Context(), "http://example.com/film"))
	v.check(t, 200, size, "fwd=uri-miss; fwd-status=200; stored")
	if used := int64(most) - int64(before.HeapAlloc); used > memory+8*mebi {
		t.Errorf("%d octets of memory were in use", used)
	}
	if o.octets.Load() != size {
		t.Errorf("the origin gave %d octets", o.octets.Load())
	}
}

// TestLeaderLeaves: the slices that were complete stay, the origin is let go, and the next client gets the rest.
func TestLeaderLeaves(t *testing.T) {
	const size = 20 * mebi
	synctest.Test(t, func(t *testing.T) {
		o := newFilm(size)
		c := newCacheUnclosed(t)
		defer c.Close(t.Context())
		h := handle(c, o)
		v := &viewer{header: make(http.Header), wrong: -1}
		v.onWrite = func() {
			if v.written > 4*mebi {
				panic(http.ErrAbortHandler)
			}
		}
		if !serveAborted(h, v, request(t.Context(), "http://example.com/film")) {
			t.Fatal("the client stayed")
		}
		synctest.Wait()
		stored := c.Stats().Responses - 1
		if got := o.octets.Load(); got > 8*mebi || stored < 4 || c.Stats().Fills != 0 {
			t.Errorf("%d slices are stored, the origin gave %d octets; %+v", stored, got, c.Stats())
		}
		v, _ = watch(h, 0)
		v.check(t, 200, size, "fwd=partial; ttl=60")
		if got := o.octets.Load(); got > size+2*mebi {
			t.Errorf("the origin gave %d octets", got)
		}
	})
}

// TestOriginBreaksOff: the rest is fetched in slices, and the client sees nothing of it.
func TestOriginBreaksOff(t *testing.T) {
	const size = 12 * mebi
	o := newFilm(size)
	o.lie = func(_ *http.Request, r *http.Response) *http.Response {
		if r.StatusCode == http.StatusOK {
			r.Body.(*filmReader).end = 5*mebi + 17
		}
		return r
	}
	v, aborted := watch(handle(newCache(t), o), 0)
	v.check(t, 200, size, "fwd=uri-miss; fwd-status=200; stored")
	if aborted || o.octets.Load() > size+mebi {
		t.Errorf("aborted %t, the origin gave %d octets", aborted, o.octets.Load())
	}
}

// TestSlowReaderHoldsNobodyUp: the origin waits for the fastest.
func TestSlowReaderHoldsNobodyUp(t *testing.T) {
	const size = 16 * mebi
	synctest.Test(t, func(t *testing.T) {
		o := newFilm(size)
		c := newCacheUnclosed(t)
		defer c.Close(t.Context())
		h := handle(c, o)
		var clients sync.WaitGroup
		clients.Go(func() {
			v := &viewer{header: make(http.Header), wrong: -1, onWrite: func() { time.Sleep(time.Second / 4) }}
			h.ServeHTTP(v, request(t.Context(), "http://example.com/film"))
			v.check(t, 200, size, "fwd=uri-miss; fwd-status=200; stored")
		})
		synctest.Wait()
		began := time.Now()
		v, _ := watch(h, 0)
		v.check(t, 200, size, "fwd=partial; ttl=60")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the fast client took %v", took)
		}
		clients.Wait()
		if got := o.octets.Load(); got > size+2*mebi {
			t.Errorf("the origin gave %d octets", got)
		}
	})
}

// TestSlicesGoWithTheirHead: replaced, purged or evicted, it takes them with it; also where it claims to be endless.
func TestSlicesGoWithTheirHead(t *testing.T) {
	for _, size := range []int64{12 * mebi, 1 << 57} {
		synctest.Test(t, func(t *testing.T) {
			o := newFilm(size)
			c := newCache(t)
			h := handle(c, o)
			for range 2 {
				watch(h, o.version.Load(), "Range: bytes=1048576-3145727")
				synctest.Wait()
				if n := c.Stats().Responses; n != 3 {
					t.Errorf("of %d: %d responses are stored", size, n)
				}
				o.version.Add(1)
				time.Sleep(time.Hour)
			}
			if _, err := c.Purge(cache.PurgeRequest{URLs: []string{"http://example.com/film"}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s := c.Stats(); s.Responses != 0 || s.Bytes != 0 {
				t.Errorf("of %d: %+v", size, s)
			}
		})
	}
}

// TestPanicInASlice: code that panics on a fill's goroutine lets no reader hang, whichever way the slice comes.
func TestPanicInASlice(t *testing.T) {
	for _, panics := range []func(*http.Request) bool{
		func(r *http.Request) bool { return r.Header.Get("Range") == "" },                                   // the whole
		func(r *http.Request) bool { return r.Header.Get("Range") != "" && r.Header.Get("If-Range") == "" }, // the first part
		func(r *http.Request) bool { return r.Header.Get("If-Range") != "" },                                // another one
	} {
		for _, wanted := range []string{"Accept: */*", "Range: bytes=0-4194303"} {
			synctest.Test(t, func(t *testing.T) {
				o := newFilm(12 * mebi)
				o.lie = func(r *http.Request, response *http.Response) *http.Response {
					if panics(r) {
						response.Body.(*filmReader).end = response.Body.(*filmReader).pos + mebi/2
						response.Body = io.NopCloser(panicking{response.Body})
					}
					return response
				}
				v, aborted := watch(handle(newCache(t), o), 0, wanted)
				if v.wrong >= 0 || !aborted && v.written < 4*mebi {
					t.Errorf("aborted %t, %d octets, wrong at %d", aborted, v.written, v.wrong)
				}
			})
		}
	}
}

// TestNoMemoryForSlices: where nothing may be held, content passes without being stored, and ranges as they came.
func TestNoMemoryForSlices(t *testing.T) {
	const size = 12 * mebi
	c := newCache(t)
	c.SetMemory(64<<20, false)
	o := newFilm(size)
	h := handle(c, o)
	v, _ := watch(h, 0)
	v.check(t, 200, size, "fwd=uri-miss; fwd-status=200; detail=no-room")
	v, _ = watch(h, 0, "Range: bytes=5-7")
	v.check(t, 206, 3, "fwd=uri-miss; fwd-status=206")
	if s := c.Stats(); s.Responses > 0 || o.octets.Load() > size+mebi {
		t.Errorf("%+v, the origin gave %d octets", s, o.octets.Load())
	}
}

// TestMemoryRunsOutMidway: a client gets its content through slices that nobody can keep.
func TestMemoryRunsOutMidway(t *testing.T) {
	const size = 12 * mebi
	for _, field := range []string{"Accept: */*", "Range: bytes=0-"} {
		synctest.Test(t, func(t *testing.T) {
			c, o := newCache(t), newFilm(size)
			v := &viewer{header: make(http.Header), wrong: -1}
			v.onWrite = func() {
				if v.written == 3*mebi {
					c.SetMemory(64<<20, false)
				}
			}
			aborted := serveAborted(handle(c, o), v, request(t.Context(), "http://example.com/film", field))
			if aborted || v.wrong >= 0 || v.written != size || o.octets.Load() > size+2*mebi {
				t.Errorf("aborted %t, %d octets, wrong at %d, the origin gave %d", aborted, v.written, v.wrong, o.octets.Load())
			}
			if held := c.Stats().FillBytes; held != 0 {
				t.Errorf("%d octets are held", held)
			}
		})
	}
}
