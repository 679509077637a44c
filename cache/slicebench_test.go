package cache_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

// BenchmarkServeLarge is a content from memory over a loopback connection: one in 64 slices beside one in a piece, and a
// cold one, of which every slice is fetched, one ahead of the client.
func BenchmarkServeLarge(b *testing.B) {
	for _, bench := range []struct {
		name string
		size int64
		cold bool
	}{{"whole-4MiB", 4 * mebi, false}, {"sliced-64MiB", 64 * mebi, false}, {"sliced-64MiB-cold", 64 * mebi, true}} {
		b.Run(bench.name, func(b *testing.B) { serveLarge(b, bench.size, bench.cold) })
	}
}

func serveLarge(b *testing.B, size int64, cold bool) {
	c := newCache(b, func(o *cache.Options) { o.Memory = 1 << 30 })
	s := httptest.NewServer(handle(c, newFilm(size)))
	b.Cleanup(s.Close)
	b.SetBytes(size)
	fetch := func() {
		r, err := http.Get(s.URL + "/film")
		if err != nil {
			b.Fatal(err)
		}
		defer r.Body.Close()
		if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
			b.Fatal(n, err)
		}
	}
	fetch()
	for b.Loop() {
		if cold {
			if _, err := c.Purge(cache.PurgeRequest{All: true}); err != nil {
				b.Fatal(err)
			}
		}
		fetch()
	}
}

// BenchmarkSliceHit is a range of a few octets in one of many slices, without a connection.
func BenchmarkSliceHit(b *testing.B) {
	c := newCache(b, func(o *cache.Options) { o.Memory = 1 << 30 })
	h := handle(c, newFilm(64*mebi))
	watch(h, 0)
	r := request(b.Context(), "http://example.com/film", "Range: bytes=33554432-33554531")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&discard{header: make(http.Header, 16)}, r)
	}
}
