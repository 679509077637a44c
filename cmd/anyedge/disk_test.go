package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
)

// diskProgram prepares a node with a disk tier.
func diskProgram(t *testing.T) *program {
	t.Helper()
	p := newProgram(t)
	p.writeDisk()
	return p
}

func (p *program) writeDisk() {
	p.t.Helper()
	p.write(p.configText() + "cache: {memory: 8MiB, disk: {path: " + p.disk() + ", size: 32MiB, segment: 1MiB, min_free: 0%}}\n")
}

// disk is the directory of its disk tier.
func (p *program) disk() string { return filepath.Join(filepath.Dir(p.file), "cache") }

func (p *program) metrics() string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.admin+"/metrics", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// A second process finds what the first has stored, and nothing of what was purged.
func TestDiskOutlivesTheProcess(t *testing.T) {
	p := diskProgram(t)
	p.launch()
	_, a := p.get("HTTP/2.0", "shop.example.com", "/a")
	_, b := p.get("HTTP/2.0", "shop.example.com", "/b")
	if code, out := p.command("purge", "--url", "https://shop.example.com/b"); code != exitGood || !strings.Contains(out, "purged 1 ") {
		t.Fatalf("%d %s", code, out)
	}
	p.signal(syscall.SIGTERM)
	p.awaitExit()
	asked := p.asked.Load()
	p.launch()
	p.await("the disk's records", func() bool {
		return !strings.Contains(p.metrics(), "\nanyedge_disk_records{disk=\""+p.disk()+"\"} 0\n")
	})
	resp, again := p.get("HTTP/3.0", "shop.example.com", "/a")
	if status := resp.Header.Get("Cache-Status"); again != a || p.asked.Load() != asked || !strings.Contains(status, "hit") || !strings.Contains(status, "detail=disk") {
		t.Errorf("%q, %q; the origin was asked %d times", again, status, p.asked.Load()-asked)
	}
	if _, again := p.get("HTTP/3.0", "shop.example.com", "/b"); again == b {
		t.Error("the purged page is back")
	}
	_, out := p.command("status", "--json")
	var s Status
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Cache.DiskHits != 1 || s.Cache.Promoted != 1 {
		t.Errorf("%v, %+v", err, s.Cache)
	}
}

// A disk that another process has is left to it: the node serves without, and says so where that matters.
func TestDiskInUse(t *testing.T) {
	p := diskProgram(t)
	var o disk.Options
	o.SetDefaults()
	o.Path, o.MinFree = p.disk(), 0
	first, err := disk.Open(o, discardLog())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := first.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	p.launch()
	p.await("the log tells", p.log.has("the disk tier is left out until the next start"))
	p.get("HTTP/2.0", "shop.example.com", "/a")
	if _, out := p.command("status"); !strings.Contains(out, "resting") || !strings.Contains(out, "another process uses it") {
		t.Error(out)
	}
	if code, out := p.command("purge", "--all"); code != exitGood || !strings.Contains(out, "warning: a restart may bring it back") || !strings.Contains(out, "another process uses it") {
		t.Errorf("%d %s", code, out)
	}
}

func TestDiskEvents(t *testing.T) {
	for _, tt := range []struct {
		before, now disk.State
		want        string
	}{
		{"", disk.OK, ""},
		{"", disk.Loading, ""},
		{disk.Loading, disk.OK, ""},
		{disk.OK, disk.Full, "full: why"},
		{disk.Full, disk.Full, ""},
		{disk.Full, disk.Resting, "resting: why"},
		{disk.Resting, disk.OK, "works again"},
		{disk.Failing, disk.Loading, "works again"},
		{"", disk.Failing, "failing: why"},
	} {
		if got := diskEvent(tt.before, disk.Stats{State: tt.now, Reason: "why"}); got != tt.want {
			t.Errorf("%q, then %q: %q, want %q", tt.before, tt.now, got, tt.want)
		}
	}
}

func TestCheckLooksAtTheDisk(t *testing.T) {
	e := newEdge(t)
	e.write(e.configText() + fmt.Sprintf("cache: {disk: {path: %s/below}}\n", e.file))
	if code, out := command(t, "check", "-c", e.file); code != exitBad || !strings.Contains(out, "cache.disk.path: "+e.file+" is not a directory") {
		t.Errorf("%d %s", code, out)
	}
	e.write(e.configText() + fmt.Sprintf("cache: {disk: {path: %s/a/b}}\n", t.TempDir()))
	if code, out := command(t, "check", "-c", e.file); code != exitGood {
		t.Errorf("%d %s", code, out)
	}
}

// kills is how often TestKilledUnderLoad kills the node; ANYEDGE_TEST_KILLS in the environment changes it.
const kills = 4

// A node that is killed at any moment under load serves nothing wrong afterwards: no octet that its origin didn't send,
// nothing that was purged before.
func TestKilledUnderLoad(t *testing.T) {
	o := newVersions(t)
	p := newProgram(t)
	port := fmt.Sprintf("http: %d", p.plainHTTP)
	p.replace = append(p.replace, p.origin.URL, o.server.URL, port, port+", plain: true")
	p.writeDisk()
	o.node, o.admin = fmt.Sprintf("http://127.0.0.1:%d", p.plainHTTP), p.admin
	cycles := kills
	if n, err := strconv.Atoi(os.Getenv("ANYEDGE_TEST_KILLS")); err == nil {
		cycles = n
	}
	for cycle := range cycles + 1 {
		p.begin()
		p.await("it serves", func() bool { return o.fetch(t, "/0") == nil })
		for i := range versionPaths {
			if err := o.fetch(t, fmt.Sprint("/", i)); err != nil {
				t.Error(err)
			}
		}
		if cycle == cycles {
			break
		}
		o.load(t, time.Duration(100+cycle*37%200)*time.Millisecond, func() { p.signal(syscall.SIGKILL) })
		<-p.exited
	}
	t.Logf("%d kills: %d answers were right, %d of them from disk; %d purges", cycles, o.right.Load(), o.disk.Load(), o.purges.Load())
	if o.disk.Load() == 0 || o.purges.Load() == 0 {
		t.Error("nothing was tried")
	}
}

// versionPaths is how many contents the origin has.
const versionPaths = 200

// versions is an origin of contents that tell what they are, and the clients of a node before it.
type versions struct {
	server      *httptest.Server
	node, admin string
	current     [versionPaths]atomic.Int64
	purged      [versionPaths]atomic.Int64 // the least version that may be served: a purge of older ones was acknowledged

	right, disk, purges atomic.Int64
}

func newVersions(t *testing.T) *versions {
	o := new(versions)
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			return // a probe
		}
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = w.Write(versionContent(n, o.current[n].Load()))
	}))
	t.Cleanup(o.server.Close)
	return o
}

// versionContent is what the origin serves: up to 400 kB that follow from path and version.
func versionContent(n int, version int64) []byte {
	head := fmt.Sprintf("%d %d\n", n, version)
	r := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(head))))
	size := r.IntN(20_000)
	if n%10 == 0 {
		size *= 20
	}
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(head))).Read(b)
	return append([]byte(head), b...)
}

// fetch asks the node, and reports an answer that can't be right. An error of the connection is nobody's fault.
func (o *versions) fetch(t *testing.T, path string) error {
	n, _ := strconv.Atoi(path[1:])
	least := o.purged[n].Load()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.node+path, nil)
	if err != nil {
		return err
	}
	r.Host = "shop.example.com"
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, response.StatusCode)
	}
	o.judge(t, n, least, content, response.Header.Get("Cache-Status"))
	return nil
}

func (o *versions) judge(t *testing.T, n int, least int64, content []byte, status string) {
	var path int
	var version int64
	if _, err := fmt.Sscanf(string(content[:min(len(content), 40)]), "%d %d\n", &path, &version); err != nil || path != n || !bytes.Equal(content, versionContent(n, version)) {
		t.Errorf("/%d: wrong content of %d octets, %s", n, len(content), status)
		return
	}
	if version < least {
		t.Errorf("/%d: version %d, but all before %d were purged, %s", n, version, least, status)
	}
	o.right.Add(1)
	if strings.Contains(status, "detail=disk") {
		o.disk.Add(1)
	}
}

// load asks and purges from many clients for so long, then kills, and goes on until all have noticed.
func (o *versions) load(t *testing.T, d time.Duration, kill func()) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if o.fetch(t, fmt.Sprint("/", rand.IntN(versionPaths))) != nil {
					return
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil && o.purge(ctx, rand.IntN(versionPaths)) == nil {
			}
		})
	}
	timer := time.AfterFunc(d, kill)
	defer timer.Stop()
	wg.Wait()
}

// purge makes a new version, and has the node purge the older ones.
func (o *versions) purge(ctx context.Context, n int) error {
	version := o.current[n].Add(1)
	b, err := json.Marshal(cache.PurgeRequest{URLs: []string{fmt.Sprintf("http://shop.example.com/%d", n)}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.admin+"/v1/purge", bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var result cache.PurgeResult
	if err := json.NewDecoder(response.Body).Decode(&result); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || result.Warning != "" {
		return fmt.Errorf("status %d, %+v", response.StatusCode, result)
	}
	for old := o.purged[n].Load(); old < version && !o.purged[n].CompareAndSwap(old, version); old = o.purged[n].Load() {
	}
	o.purges.Add(1)
	return nil
}
