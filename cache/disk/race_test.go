package disk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/disk"
)

// Everything at once, on disks that evict: whatever is read is right.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir(), t.TempDir())
	o.Size, o.Segment = 4<<20, 256<<10
	s := open(t, o)
	began := time.Now()
	idle := func(st disk.Stats) bool { return st.Evicted == 0 || st.Kept == 0 }
	busy := func() bool { // for a second, and on a slow machine until both disks have evicted
		spent := time.Since(began)
		return spent < time.Second || spent < time.Minute && slices.ContainsFunc(s.Stats(), idle)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 0))
			for version := uint64(1); busy(); version++ {
				key := fmt.Sprint("/", r.IntN(300))
				concurrently(t, s, r, key, version)
			}
		})
	}
	wg.Wait()
	for _, st := range s.Stats() {
		if idle(st) || st.Corrupt > 0 || st.ReadErrors > 0 || st.Bytes > o.Size {
			t.Errorf("%+v", st)
		}
	}
	closeStore(t, s)
}

func concurrently(t *testing.T, s *disk.Store, r *rand.Rand, key string, version uint64) {
	switch n := r.IntN(100); {
	case n < 45:
		s.Put(record(key, r.Uint64N(3), version, r.IntN(20_000)), nil)
	case n < 50:
		s.Delete(idOf(key))
	case n < 51:
		if err := s.Note(version, []byte(key)); err != nil {
			t.Error(err)
		}
	case n < 52:
		s.Forget(min(s.Oldest(), version))
	default:
		for _, found := range s.Load(context.Background(), idOf(key), key) {
			if err := check(found, key); err != nil && !errors.Is(err, disk.ErrGone) {
				t.Error(err)
			}
		}
	}
}
