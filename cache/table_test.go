package cache

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"unsafe"
)

// entry is a response that is in a slot, as the table has it.
func entry(hash uint64, key string) *Response {
	r := new(Response)
	r.enter(&slot{hash: hash, key: key}, 0)
	return r
}

// hashes returns hashes of one shard that meet often: in their home, in their tag, or in both.
func hashes(r *rand.Rand) uint64 {
	return uint64(r.IntN(4))<<57 | uint64(r.IntN(40))*shards
}

// TestTableAgainstMap: whatever is set and cleared in whatever order, the table finds what a map has.
func TestTableAgainstMap(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		got, want := newTable(1), make(map[uint64]*Response)
		for range r.IntN(400) {
			hash := hashes(r)
			if r.IntN(3) == 0 {
				got.clear(hash)
				delete(want, hash)
				continue
			}
			if got.crowded() {
				got = got.grown()
			}
			e := entry(hash, strconv.FormatUint(hash, 10))
			got.set(e)
			want[hash] = e
		}
		if err := sameEntries(got, want); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func sameEntries(got *table, want map[uint64]*Response) error {
	n := 0
	got.each(func(*Response) { n++ })
	if n != len(want) || got.count != n {
		return fmt.Errorf("%d entries are counted, and %d there; want %d", got.count, n, len(want))
	}
	for home := range uint64(64) {
		for tag := range uint64(4) {
			hash := tag<<57 | home*shards
			if r := got.find(hash, strconv.AppendUint(nil, hash, 10)); r != want[hash] {
				return fmt.Errorf("hash %#x: got %p, want %p", hash, r, want[hash])
			}
		}
	}
	return nil
}

// TestTableForgetsWhoPassed: after everything has left, a search ends in its first bucket.
func TestTableForgetsWhoPassed(t *testing.T) {
	table := newTable(4)
	for i := range uint64(20) {
		table.set(entry(i<<57, ""))
	}
	for i := range uint64(20) {
		table.clear(i << 57)
	}
	for i := range table.buckets {
		if tags := table.buckets[i].tags.Load(); tags != 0 {
			t.Errorf("bucket %d: tags %#x are left", i, tags)
		}
	}
}

// TestTableIsReadWhileWritten: a reader finds what nobody clears, whatever else happens around it.
func TestTableIsReadWhileWritten(t *testing.T) {
	var sh shard
	sh.table.Store(newTable(1))
	var readers, writer sync.WaitGroup
	done := make(chan struct{})
	kept := entry(3<<57, "kept")
	sh.publish(kept.slot, []*Response{kept})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if sh.table.Load().find(kept.hash, []byte("kept")) != kept {
					t.Error("not found")
					return
				}
			}
		})
	}
	writer.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for range 20_000 {
			e := entry(hashes(r)|1<<60, "other")
			if sh.publish(e.slot, []*Response{e}); r.IntN(2) == 0 {
				sh.publish(e.slot, nil)
			}
		}
	})
	writer.Wait()
	close(done)
	readers.Wait()
}

// TestLongKeys: what a Response holds of a key doesn't decide alone.
func TestLongKeys(t *testing.T) {
	for _, n := range []int{0, 1, shortKey - 1, shortKey, shortKey + 1, 1 << 17} {
		key := make([]byte, n)
		r := entry(1, string(key))
		if !r.isFor(key) {
			t.Errorf("%d: not its own key", n)
		}
		if r.isFor(append(key, 0)) || n > 0 && r.isFor(key[1:]) {
			t.Errorf("%d: another one's key", n)
		}
		if n > 0 {
			key[n-1] = 1
			if r.isFor(key) {
				t.Errorf("%d: another one's key with the same begin", n)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(bucket{}); n != 64 {
		t.Errorf("a bucket is %d octets: not a cache line", n)
	}
	if n := unsafe.Sizeof(shard{}); n != 64 {
		t.Errorf("a shard is %d octets: not a cache line", n)
	}
	t.Logf("a response is %d octets, a slot %d", unsafe.Sizeof(Response{}), unsafe.Sizeof(slot{}))
}

func TestVaryListsAreShared(t *testing.T) {
	var v varyLists
	request := func(value string) header { return header{"Accept-Encoding": {value}} }
	vary := header{"Vary": {"accept-encoding"}}
	a, b := v.share(newVary(vary, request("gzip, br"))), v.share(newVary(vary, request("br,gzip")))
	c, d := v.share(newVary(vary, request("br"))), v.share(newVary(vary, header{}))
	if &a[0] != &b[0] {
		t.Error("two lists say the same and aren't shared")
	}
	if &a[0] == &c[0] || &c[0] == &d[0] || &a[0] == &d[0] {
		t.Error("lists that differ are one")
	}
	for i := range 3 * maxVaryLists {
		v.share(newVary(vary, request(strconv.Itoa(i))))
	}
	if len(v.lists) > maxVaryLists {
		t.Errorf("%d lists are shared", len(v.lists))
	}
}
