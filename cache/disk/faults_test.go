package disk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache/disk"
)

// faulty is a file system with faults. Each hook may be swapped at any time; nil is none.
type faulty struct {
	disk.RealFS
	mu    sync.Mutex // guards the following fields
	write func(name string, p []byte, at int64) (n int, err error)
	read  func(name string, p []byte, at int64) error
	sync  func(name string) error
	free  func() (total, free uint64)
}

func (f *faulty) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *faulty) Open(name string) (disk.File, error) {
	file, err := f.RealFS.Open(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, f: f, name: filepath.Base(name)}, nil
}

func (f *faulty) Free(string) (total, free uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.free == nil {
		return 1 << 50, 1 << 50, nil
	}
	total, free = f.free()
	return total, free, nil
}

type faultyFile struct {
	disk.File
	f    *faulty
	name string
}

func (f *faultyFile) WriteAt(p []byte, at int64) (int, error) {
	f.f.mu.Lock()
	write := f.f.write
	f.f.mu.Unlock()
	if write == nil {
		return f.File.WriteAt(p, at)
	}
	n, fault := write(f.name, p, at)
	if n, err := f.File.WriteAt(p[:n], at); err != nil {
		return n, err
	}
	return n, fault
}

func (f *faultyFile) ReadAt(p []byte, at int64) (int, error) {
	f.f.mu.Lock()
	read := f.f.read
	f.f.mu.Unlock()
	n, err := f.File.ReadAt(p, at)
	if read == nil {
		return n, err
	}
	if fault := read(f.name, p[:n], at); fault != nil {
		return 0, fault
	}
	return n, err
}

func (*faultyFile) ReadCached([]byte, int64) bool { return false }

func (f *faultyFile) Sync() error {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	if f.f.sync != nil {
		return f.f.sync(f.name)
	}
	return f.File.Sync()
}

func openOn(t testing.TB, o disk.Options, fs disk.FileSystem) *disk.Store {
	t.Helper()
	s, err := disk.OpenOn(o, slog.New(slog.DiscardHandler), fs)
	if err != nil {
		t.Fatal(err)
	}
	awaitLoaded(t, s)
	return s
}

// tryPut offers a record and tells whether it was written.
func tryPut(s *disk.Store, key string, version uint64, size int) bool {
	done := make(chan bool, 1)
	return s.Put(record(key, 0, version, size), func(written bool) { done <- written }) && <-done
}

func isSegment(name string) bool { return strings.HasSuffix(name, ".seg") }

// A full disk takes nothing for a while, serves what it has, and is tried again.
func TestNoRoom(t *testing.T) {
	o := options(t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		fs := new(faulty)
		s := openOn(t, o, fs)
		if !tryPut(s, "/a", 1, 5000) {
			t.Fatal("not written")
		}
		fs.set(func() {
			fs.write = func(name string, p []byte, _ int64) (int, error) { return len(p) / 2, syscall.ENOSPC }
		})
		if tryPut(s, "/b", 2, 5000) {
			t.Error("written where there is no room")
		}
		if s.Put(record("/c", 0, 3, 10), nil) {
			t.Error("taken while the disk rests")
		}
		if st := s.Stats()[0]; st.State != disk.Full || !strings.Contains(st.Reason, "no space") || st.Refused != 2 {
			t.Errorf("%+v", st)
		}
		if versions(t, s, "/a")[0] != 1 || s.Has(idOf("/b")) {
			t.Error("not what was written")
		}
		fs.set(func() { fs.write = nil })
		time.Sleep(o.Rest + time.Second)
		if !tryPut(s, "/b", 4, 5000) || s.Stats()[0].State != disk.OK {
			t.Errorf("after the rest: %+v", s.Stats()[0])
		}
		closeStore(t, s)
	})
	s := open(t, o)
	defer closeStore(t, s)
	awaitLoaded(t, s)
	if versions(t, s, "/a")[0] != 1 || versions(t, s, "/b")[0] != 4 {
		t.Error("lost")
	}
}

// The rest grows while it doesn't help.
func TestRestsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := &faulty{}
		o := options(t.TempDir())
		s := openOn(t, o, fs)
		fs.set(func() {
			fs.write = func(name string, _ []byte, _ int64) (int, error) { return 0, syscall.EIO }
		})
		tries := 0
		for begun := time.Now(); time.Since(begun) < 100*o.Rest; time.Sleep(time.Second) {
			if s.Put(record("/a", 0, 1, 10), nil) {
				tries++
				synctest.Wait()
			}
		}
		if tries < 5 || tries > 9 {
			t.Errorf("%d tries in 100 rests", tries)
		}
		if st := s.Stats()[0]; st.State != disk.Failing {
			t.Errorf("%+v", st)
		}
		closeStore(t, s)
	})
}

// Below the floor the oldest records make room for others. Where that isn't enough, nothing is written; the rest is
// served.
func TestFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := new(faulty)
		o := options(t.TempDir())
		o.MinFree = 0.1
		s := openOn(t, o, fs)
		defer closeStore(t, s)
		const total = 100 << 20
		var others atomic.Int64
		fs.set(func() {
			fs.free = func() (uint64, uint64) { return total, uint64(max(0, total-others.Load()-s.Stats()[0].Bytes)) }
		})
		for i := range uint64(300) {
			put(t, s, record(fmt.Sprint("/", i), 0, i+1, 100_000))
		}
		time.Sleep(20 * time.Second)
		if st := s.Stats()[0]; st.Evicted > 0 || st.State != disk.OK {
			t.Fatalf("evicted without need: %+v", st)
		}
		others.Store(total - s.Stats()[0].Bytes - 5<<20)
		time.Sleep(20 * time.Second)
		if free := total - others.Load() - s.Stats()[0].Bytes; free < 10<<20 || free > 14<<20 {
			t.Errorf("%d bytes are free", free)
		}
		if !tryPut(s, "/a", 1, 100) || versions(t, s, "/299")[0] != 300 {
			t.Error("above the floor: not written, or what was there is gone")
		}
		others.Store(total)
		time.Sleep(20 * time.Second)
		if st := s.Stats()[0]; tryPut(s, "/b", 1, 100) || st.State != disk.Full || st.Segments != 1 || versions(t, s, "/a")[0] != 1 {
			t.Errorf("below the floor: %+v", st)
		}
	})
}

// Reads that fail make the disk rest; what was there is there again afterwards.
func TestReadErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := new(faulty)
		o := options(t.TempDir())
		s := openOn(t, o, fs)
		defer closeStore(t, s)
		tryPut(s, "/a", 1, 100)
		var reads atomic.Int64
		fs.set(func() {
			fs.read = func(string, []byte, int64) error { reads.Add(1); return syscall.EIO }
		})
		for range 10 {
			if len(versions(t, s, "/a")) > 0 {
				t.Error("read nevertheless")
			}
		}
		if st := s.Stats()[0]; reads.Load() != 3 || st.State != disk.Resting || st.ReadErrors != 3 || st.Corrupt != 0 {
			t.Errorf("%d reads, %+v", reads.Load(), st)
		}
		fs.set(func() { fs.read = nil })
		time.Sleep(o.Rest + time.Second)
		if versions(t, s, "/a")[0] != 1 || s.Stats()[0].State != disk.OK {
			t.Error("lost for good")
		}
	})
}

// A disk that doesn't answer holds nobody up beyond Slow, or beyond the end of the context.
func TestHungDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := new(faulty)
		o := options(t.TempDir())
		o.IO = 2
		s := openOn(t, o, fs)
		tryPut(s, "/a", 1, 100)
		c := s.Load(context.Background(), idOf("/a"), "/a")[0].Content
		hang := make(chan struct{})
		fs.set(func() { fs.read = func(string, []byte, int64) error { <-hang; return nil } })
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		begun := time.Now()
		if got := s.Load(ctx, idOf("/a"), "/a"); len(got) > 0 || time.Since(begun) != 100*time.Millisecond {
			t.Errorf("%v after %v", got, time.Since(begun))
		}
		cancel()
		tries := 0
		for err := error(nil); !errors.Is(err, disk.ErrResting); tries++ {
			begun = time.Now()
			var n int64
			if n, err = c.WriteRange(io.Discard, 0, 100); err == nil || n > 0 || time.Since(begun) > o.Slow {
				t.Fatalf("%d, %v after %v", n, err, time.Since(begun))
			}
		}
		if tries < 2 || tries > 4 {
			t.Errorf("%d tries", tries)
		}
		begun = time.Now()
		if _, err := c.WriteRange(io.Discard, 0, 100); !errors.Is(err, disk.ErrResting) || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		close(hang)
		closeStore(t, s)
	})
}

// A disk that doesn't answer is found out although nobody waits as long as Slow.
func TestHungDiskAndImpatientClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := new(faulty)
		o := options(t.TempDir())
		s := openOn(t, o, fs)
		tryPut(s, "/a", 1, 100)
		hang := make(chan struct{})
		fs.set(func() { fs.read = func(string, []byte, int64) error { <-hang; return nil } })
		for range 5 {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			s.Load(ctx, idOf("/a"), "/a")
			cancel()
		}
		time.Sleep(2 * o.Slow)
		if st := s.Stats()[0]; st.State != disk.Resting {
			t.Errorf("%+v", st)
		}
		close(hang)
		fs.set(func() { fs.read = nil })
		time.Sleep(2 * o.Rest)
		if versions(t, s, "/a")[0] != 1 {
			t.Error("not read afterwards")
		}
		closeStore(t, s)
	})
}

// A write that takes too long makes the disk rest, as one that fails.
func TestSlowWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := new(faulty)
		o := options(t.TempDir())
		s := openOn(t, o, fs)
		tryPut(s, "/z", 1, 100)
		fs.set(func() {
			fs.write = func(_ string, p []byte, _ int64) (int, error) { time.Sleep(2 * o.Slow); return len(p), nil }
		})
		s.Put(record("/a", 0, 1, 100), nil)
		time.Sleep(o.Slow + time.Millisecond)
		if st := s.Stats()[0]; st.State != disk.Failing {
			t.Errorf("while it is written: %+v", st)
		}
		time.Sleep(2 * o.Slow)
		if st := s.Stats()[0]; st.State != disk.Failing || s.Put(record("/b", 0, 1, 100), nil) || versions(t, s, "/a")[0] != 1 {
			t.Errorf("afterwards: %+v", st)
		}
		fs.set(func() { fs.write = nil })
		time.Sleep(o.Rest)
		if !tryPut(s, "/b", 1, 100) {
			t.Error("not written after the rest")
		}
		closeStore(t, s)
	})
}

// Whatever bit is wrong, nothing wrong is read.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	fs := new(faulty)
	s := openOn(t, options(t.TempDir()), fs)
	defer closeStore(t, s)
	const size = 150_000
	for bit := range 400 {
		key := fmt.Sprint("/", bit)
		tryPut(s, key, 1, size)
		at := bit * 3 % 87 // in the head, the key or the meta
		fs.set(func() {
			fs.read = func(name string, p []byte, _ int64) error {
				if isSegment(name) {
					p[at%len(p)] ^= 1 << (bit % 8)
				}
				return nil
			}
		})
		for _, r := range s.Load(context.Background(), idOf(key), key) {
			t.Fatalf("bit %d of octet %d: %+v", bit%8, at, r)
		}
		fs.set(func() { fs.read = nil })
	}
	if got := s.Stats()[0].Corrupt; got < 390 {
		t.Errorf("%d are counted", got)
	}
}

func TestFlippedBitsOfContent(t *testing.T) {
	t.Parallel()
	fs := new(faulty)
	s := openOn(t, options(t.TempDir()), fs)
	defer closeStore(t, s)
	const size = 300_000
	for i := range 100 {
		tryPut(s, "/a", 1, size)
		list := s.Load(context.Background(), idOf("/a"), "/a")
		if len(list) != 1 {
			t.Fatal("not written")
		}
		reads := 0
		fs.set(func() {
			fs.read = func(_ string, p []byte, _ int64) error {
				if reads++; reads == 2 {
					p[i*1237%len(p)] ^= 1 << (i % 8)
				}
				return nil
			}
		})
		var got bytes.Buffer
		n, err := list[0].Content.WriteRange(&got, 0, size)
		if !errors.Is(err, disk.ErrCorrupt) || n != 128<<10 || int64(got.Len()) != n {
			t.Fatalf("%d: %d bytes, %v", i, n, err)
		}
		if !strings.HasPrefix(string(content("/a", 0, 1, size)[0])+string(content("/a", 0, 1, size)[1]), got.String()) {
			t.Fatal("what came before isn't right")
		}
		fs.set(func() { fs.read = nil })
		if s.Has(idOf("/a")) {
			t.Fatal("still there")
		}
	}
}

// A process that ends at any octet of a write loses what was under way, and nothing else.
func TestEndsAtAnyOctet(t *testing.T) {
	t.Parallel()
	const kept, size = 3, 200
	for cut := int64(0); cut < 600; cut += 7 {
		o := options(t.TempDir())
		fs := new(faulty)
		s := openOn(t, o, fs)
		for i := range uint64(kept) {
			tryPut(s, fmt.Sprint("/", i), i+1, size)
		}
		left := cut
		fs.set(func() {
			fs.write = func(name string, p []byte, _ int64) (int, error) {
				n := min(int64(len(p)), left)
				left -= n
				if n < int64(len(p)) {
					return int(n), syscall.EIO
				}
				return int(n), nil
			}
		})
		written := map[string]bool{}
		for i := range uint64(2) {
			key := fmt.Sprint("/more", i)
			written[key] = tryPut(s, key, 10+i, size)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(ctx)
		s = open(t, o)
		awaitLoaded(t, s)
		for i := range uint64(kept) {
			if versions(t, s, fmt.Sprint("/", i))[0] != i+1 {
				t.Errorf("cut at %d: %d is lost", cut, i)
			}
		}
		for key, was := range written {
			if got := len(versions(t, s, key)) == 1; got != was {
				t.Errorf("cut at %d: %s: %v, written %v", cut, key, got, was)
			}
		}
		if !tryPut(s, "/after", 20, size) {
			t.Errorf("cut at %d: not written afterwards", cut)
		}
		closeStore(t, s)
	}
}

// A note that wasn't synced is an error; one that follows is safe, and none before it is lost.
func TestNotesThatFail(t *testing.T) {
	o := options(t.TempDir())
	fs := new(faulty)
	s := openOn(t, o, fs)
	if err := s.Note(1, []byte("one")); err != nil {
		t.Fatal(err)
	}
	fs.set(func() { fs.sync = func(string) error { return syscall.EIO } })
	if err := s.Note(2, []byte("two")); !errors.Is(err, syscall.EIO) {
		t.Errorf("%v", err)
	}
	fs.set(func() { fs.sync = nil })
	fs.set(func() {
		fs.write = func(_ string, p []byte, _ int64) (int, error) { return len(p) / 3, syscall.ENOSPC }
	})
	if err := s.Note(3, []byte("three")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	fs.set(func() { fs.write = nil })
	if err := s.Note(4, []byte("four")); err != nil {
		t.Error(err)
	}
	if err := s.Note(5, make([]byte, 1<<20)); err == nil {
		t.Error("a note of 1 MiB is taken")
	}
	closeStore(t, s)
	s = open(t, o)
	defer closeStore(t, s)
	got := string(bytes.Join(s.Notes(), []byte(" ")))
	if !strings.HasPrefix(got, "one") || !strings.HasSuffix(got, "four") {
		t.Errorf("%q", got)
	}
}

// Contents that lie about their size aren't written, and the next record is.
func TestContentsThatLie(t *testing.T) {
	o := options(t.TempDir())
	s := open(t, o)
	for i, n := range []int64{0, 99, 101, 5 << 20} {
		r := record("/a", 0, 1, 100)
		r.Content = liar{n}
		done := make(chan bool, 1)
		if s.Put(r, func(written bool) { done <- written }) && <-done {
			t.Errorf("%d of 100 bytes are written", n)
		}
		put(t, s, record(fmt.Sprint("/", i), 0, 1, 100_000))
	}
	for range 2 {
		for i := range 4 {
			if versions(t, s, fmt.Sprint("/", i))[0] != 1 {
				t.Error("the next one is lost")
			}
		}
		closeStore(t, s)
		s = open(t, o)
		awaitLoaded(t, s)
	}
	if s.Has(idOf("/a")) {
		t.Error("the lie is there")
	}
	closeStore(t, s)
}

// liar says that it has 100 bytes.
type liar struct{ n int64 }

func (liar) Size() int64 { return 100 }

func (l liar) WriteRange(w io.Writer, _, _ int64) (int64, error) {
	for n := int64(0); n < l.n; n += 50 {
		if n, err := w.Write(make([]byte, min(50, l.n-n))); err != nil {
			return int64(n), err
		}
	}
	return l.n, nil
}
