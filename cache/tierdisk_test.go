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
