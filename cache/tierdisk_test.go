package cache_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
	"github.com/anyedge/anyedge/cache/memory"
)

// openDisk opens a real disk tier, and waits until it knows what it holds.
func openDisk(t testing.TB, dir string) *disk.Store {
	var o disk.Options
	o.SetDefaults()
	o.Path, o.Size, o.Segment, o.MinFree = dir, 64<<20, 4<<20, 0
	s, err := disk.Open(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return s.Stats()[0].State != disk.Loading })
	return s
}

// sized is an origin whose contents have many sizes, up to 400 kB.
func sized() *originFunc {
	return &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		content := sizedContent(r.URL.Path)
		return respondText(content, "Cache-Control: max-age=3600", "Cache-Tag: t", "Content-Type: text/plain"), nil
	}}
}

func sizedContent(path string) string {
	n := 0
	_, _ = fmt.Sscanf(path, "/%d", &n)
	return strings.Repeat(path+"\n", 1+n*n)
}

// TestOnDisk: stored before, a hit after; purged before, a miss after.
func TestOnDisk(t *testing.T) {
	const paths = 250
	dir, o := t.TempDir(), sized()
	c, stop := tiered(t, openDisk(t, dir))
	for i := range paths {
		get(handle(c, o), fmt.Sprintf("http://example.com/%d", i))
	}
	purge(t, c, cache.PurgeRequest{URLs: []string{"http://example.com/7"}})
	stop()
	c, _ = tiered(t, openDisk(t, dir))
	for i := range paths {
		path, how := fmt.Sprintf("/%d", i), "disk"
		if i == 7 {
			how = "uri-miss"
		}
		expect(t, handle(c, o), "http://example.com"+path, how, sizedContent(path))
	}
	if n := o.requests.Load(); n != paths+1 {
		t.Errorf("%d requests for %d contents", n, paths)
	}
}

// TestFlippedBits: whatever becomes of the octets on disk, nothing else is served than what the origin sends.
func TestFlippedBits(t *testing.T) {
	const paths, flips = 250, 40
	dir, o := t.TempDir(), sized()
	for round := range 4 {
		c, stop := tiered(t, openDisk(t, dir))
		h, aborted := handle(c, o), 0
		for i := range paths {
			path := fmt.Sprintf("/%d", i)
			func() {
				defer func() {
					if recover() != nil {
						aborted++
					}
				}()
				if w := get(h, "http://example.com"+path); w.Body.String() != sizedContent(path) {
					t.Errorf("round %d: %s: got %d octets, %v", round, path, w.Body.Len(), w.Header())
				}
			}()
		}
		if round > 0 && c.Stats().DiskHits == 0 {
			t.Errorf("round %d: nothing came from disk", round)
		}
		if aborted > flips { // each can be found too late once
			t.Errorf("round %d: %d answers were aborted", round, aborted)
		}
		stop()
		flip(t, dir, flips)
	}
}

// flip changes n bits in the files of records.
func flip(t *testing.T, dir string, n int) {
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(files) == 0 {
		all, _ := os.ReadDir(dir)
		t.Fatalf("no segments in %v, %v", all, err)
	}
	for range n {
		file := files[rand.IntN(len(files))]
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[rand.IntN(len(b))] ^= 1 << rand.IntN(8)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskChangesHands: one cache lets go of its disk and goes on, another one that began without takes it: with what was
// stored, without what was purged by then at either.
func TestDiskChangesHands(t *testing.T) {
	const paths = 50
	dir, o := t.TempDir(), sized()
	store := openDisk(t, dir)
	small := func(o *cache.Options) { o.Memory = 64 << 10 }
	old, _ := tiered(t, store, small)
	at := func(i int) string { return fmt.Sprintf("http://example.com/%d", i) }
	for i := range paths {
		get(handle(old, o), at(i))
	}
	purge(t, old, cache.PurgeRequest{URLs: []string{at(7)}})

	var options cache.Options
	options.SetDefaults()
	options.Preset = cache.Standard
	next := cache.New(options, "edge", memory.New(1<<20), slog.New(slog.DiscardHandler), cache.WithStoreLater())
	t.Cleanup(func() { _ = next.Close(t.Context()) })
	get(handle(next, o), at(1))
	if result, err := next.Purge(cache.PurgeRequest{URLs: []string{at(8)}}); err != nil || result.Warning == "" {
		t.Errorf("a purge without a disk: %+v, %v", result, err)
	}
	if err := store.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.Attach(openDisk(t, dir))
	read := 0
	for i := 10; i < paths; i++ { // it can still be read
		if w := get(handle(old, o), at(i)); w.Body.String() != sizedContent(fmt.Sprintf("/%d", i)) {
			t.Errorf("%d: %d octets", i, w.Body.Len())
		} else if hit(w.Header().Get("Cache-Status")) == "disk" {
			read++
		}
	}
	if read == 0 {
		t.Error("nothing was read from the disk that was let go")
	}
	for i := range paths {
		how := hit(get(handle(next, o), at(i)).Header().Get("Cache-Status"))
		if purged := i == 7 || i == 8; purged != (how == "uri-miss") {
			t.Errorf("%d: %s", i, how)
		}
	}
	if result, err := old.Purge(cache.PurgeRequest{URLs: []string{at(30)}}); err != nil || result.Warning == "" {
		t.Errorf("a purge after the disk was let go: %+v, %v", result, err)
	}
	waitFor(t, func() bool { // what was purged before there was a disk is noted there
		result, err := next.Purge(cache.PurgeRequest{URLs: []string{at(9)}})
		return err == nil && result.Warning == ""
	})
}
