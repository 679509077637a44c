package disk_test

import (
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
)

// numbered is a record without the cost of making one.
func numbered(i uint64, c cache.Pieces) cache.Record {
	r := cache.Record{Key: "https://example.com/0123456789", Variant: i, Born: 1, Meta: meta, Content: c}
	binary.LittleEndian.PutUint64(r.ID[:], i*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(r.ID[8:], i)
	return r
}

var meta = make([]byte, 400)

// fill writes n records, as fast as they are taken.
func fill(tb testing.TB, s *disk.Store, n int, c cache.Pieces) {
	var wg sync.WaitGroup
	for i := range uint64(n) {
		wg.Add(1)
		for !s.Put(numbered(i, c), func(bool) { wg.Done() }) {
			time.Sleep(50 * time.Microsecond)
		}
	}
	wg.Wait()
}

func benchOptions(tb testing.TB) disk.Options {
	o := options(tb.TempDir())
	o.Size, o.Segment = 4<<30, 64<<20
	return o
}

// The goal is about 6 µs.
func BenchmarkAppend16K(b *testing.B) {
	s := open(b, benchOptions(b))
	b.SetBytes(16 << 10)
	b.ReportAllocs()
	b.ResetTimer()
	fill(b, s, b.N, cache.Pieces{make([]byte, 16<<10)})
	b.StopTimer()
	closeStore(b, s)
}

func BenchmarkReadHit16K(b *testing.B) {
	s := open(b, benchOptions(b))
	const n = 10_000
	fill(b, s, n, cache.Pieces{make([]byte, 16<<10)})
	b.SetBytes(16 << 10)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := uint64(0); pb.Next(); i++ {
			r := numbered(i%n, nil)
			found := s.Load(context.Background(), r.ID, r.Key)
			if len(found) != 1 {
				b.Errorf("%d records", len(found))
				return
			}
			if _, err := found[0].Content.WriteRange(io.Discard, 0, 16<<10); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	closeStore(b, s)
}

func BenchmarkHas(b *testing.B) {
	s := open(b, benchOptions(b))
	fill(b, s, 10_000, cache.Pieces{make([]byte, 16)})
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		s.Has(numbered(uint64(i%20_000), nil).ID)
	}
	b.StopTimer()
	closeStore(b, s)
}

// BenchmarkOpen1M opens a store of a million records of 1 KiB. The goal is 3 s until all are known.
func BenchmarkOpen1M(b *testing.B) {
	o := benchOptions(b)
	s := open(b, o)
	const n = 1_000_000
	fill(b, s, n, cache.Pieces{make([]byte, 1<<10)})
	closeStore(b, s)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begun := time.Now()
		s := open(b, o)
		opened := time.Since(begun)
		awaitLoaded(b, s)
		loaded := time.Since(begun)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if got := s.Stats()[0].Records; got != n {
			b.Fatalf("%d records", got)
		}
		b.ReportMetric(opened.Seconds()*1e3, "open-ms")
		b.ReportMetric(loaded.Seconds()*1e3, "loaded-ms")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/record")
		closeStore(b, s)
	}
}

// Notes that come at once share a sync.
func BenchmarkNotes(b *testing.B) {
	s := open(b, benchOptions(b))
	b.SetParallelism(32)
	var sequence atomic.Uint64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Note(sequence.Add(1), meta[:50]); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	closeStore(b, s)
}
