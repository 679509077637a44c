package disk_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
)

// filled returns the options of a directory with ten records and a note.
func filled(t *testing.T) disk.Options {
	o := options(t.TempDir())
	s := open(t, o)
	for i := range uint64(10) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+1, 1000))
	}
	if err := s.Note(20, []byte("purge")); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	return o
}

// count is how many of the ten are there, each as it was written.
func count(t *testing.T, s *disk.Store) (n int) {
	awaitLoaded(t, s)
	for i := range 10 {
		n += len(versions(t, s, fmt.Sprint("/", i)))
	}
	return n
}

// What can't be read for certain isn't read at all; the store begins anew, and works.
func TestDirectoriesThatArentRight(t *testing.T) {
	t.Parallel()
	label := func(change func(b []byte) []byte) func(dir string) error {
		return func(dir string) error {
			name := filepath.Join(dir, "anyedge.disk")
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			return os.WriteFile(name, change(b), 0o600)
		}
	}
	for name, damage := range map[string]func(dir string) error{
		"another version": label(func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[8:], 2)
			binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], crc32.MakeTable(crc32.Castagnoli)))
			return b
		}),
		"another seed": label(func(b []byte) []byte {
			b[12] ^= 1
			binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], crc32.MakeTable(crc32.Castagnoli)))
			return b
		}),
		"a damaged label": label(func(b []byte) []byte { b[13] ^= 4; return b }),
		"an empty label":  label(func([]byte) []byte { return nil }),
		"a longer label":  label(func(b []byte) []byte { return append(b, 0) }),
		"no label":        func(dir string) error { return os.Remove(filepath.Join(dir, "anyedge.disk")) },
		"no notes":        func(dir string) error { return os.Remove(filepath.Join(dir, "notes")) },
		"empty notes":     func(dir string) error { return os.Truncate(filepath.Join(dir, "notes"), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			o := filled(t)
			theirs := filepath.Join(o.Paths[0], "theirs.txt")
			if err := errors.Join(damage(o.Paths[0]), os.WriteFile(theirs, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			s := open(t, o)
			if n := count(t, s); n > 0 || len(s.Notes()) > 0 {
				t.Errorf("%d records, %d notes", n, len(s.Notes()))
			}
			put(t, s, record("/0", 0, 1, 10))
			closeStore(t, s)
			s = open(t, o)
			if n := count(t, s); n != 1 {
				t.Errorf("%d records after the new start", n)
			}
			closeStore(t, s)
			if _, err := os.Stat(theirs); err != nil {
				t.Error(err)
			}
		})
	}
}

// What nobody expects in the directory doesn't keep it from being opened.
func TestStrangeFiles(t *testing.T) {
	o := filled(t)
	for _, name := range []string{"000000ff.seg", "0000000g.seg", "zz.seg", "notes.tmp", "anyedge.disk.tmp"} {
		if err := os.WriteFile(filepath.Join(o.Paths[0], name), []byte(strings.Repeat("AES1", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, o)
	defer closeStore(t, s)
	if n := count(t, s); n != 10 || len(s.Notes()) != 1 {
		t.Errorf("%d records, %d notes", n, len(s.Notes()))
	}
}

func TestDirectoriesThatCantBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := disk.Open(options(file), log); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
	if _, err := disk.Open(options(), log); err == nil {
		t.Error("no disk is no error")
	}
	o := options(file, t.TempDir()) // one of two is enough
	s := open(t, o)
	put(t, s, record("/a", 0, 1, 10))
	if err := s.Note(1, nil); err != nil || len(s.Stats()) != 1 {
		t.Error(err)
	}
	if _, err := disk.Open(o, log); !errors.Is(err, disk.ErrInUse) {
		t.Errorf("%v", err)
	}
	closeStore(t, s)
}

// A smaller size than before holds from the start on.
func TestSmallerSize(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	s := open(t, o)
	for i := range uint64(200) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+1, 100_000))
	}
	closeStore(t, s)
	o.Size = 8 << 20
	s = open(t, o)
	defer closeStore(t, s)
	awaitLoaded(t, s)
	if st := s.Stats()[0]; st.Bytes > o.Size || st.Records < 40 {
		t.Errorf("%+v", st)
	}
	if len(versions(t, s, "/199")) != 1 {
		t.Error("the newest is gone")
	}
	put(t, s, record("/a", 0, 1, 100_000))
}

// Records spread over the disks. A disk that is away takes its own with it, and no others.
func TestADiskComesAndGoes(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	s := open(t, options(dirs...))
	for i := range uint64(90) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+1, 1000))
	}
	away := s.Stats()[2].Records
	for _, st := range s.Stats() {
		if st.Records < 10 {
			t.Errorf("%+v", st)
		}
	}
	closeStore(t, s)
	counts := func(s *disk.Store) (n int64) {
		awaitLoaded(t, s)
		for i := range 90 {
			n += int64(len(versions(t, s, fmt.Sprint("/", i))))
		}
		return n
	}
	s = open(t, options(dirs[1], dirs[0]))
	if n := counts(s); n != 90-away {
		t.Errorf("%d records without the third disk, which had %d", n, away)
	}
	if err := s.Note(100, []byte("purge")); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, options(dirs...))
	if n := counts(s); n != 90 || len(s.Notes()) != 1 {
		t.Errorf("%d records with all disks, %d notes", n, len(s.Notes()))
	}
	closeStore(t, s)
	s = open(t, options(dirs[2])) // which has the note by now
	if len(s.Notes()) != 1 || s.Sequence() != 100 {
		t.Errorf("%d notes, sequence %d", len(s.Notes()), s.Sequence())
	}
	closeStore(t, s)
}

// A disk that was away while a note came and was forgotten can't be trusted.
func TestADiskThatMissedNotes(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	s := open(t, options(dirs...))
	for i := range uint64(10) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+1, 1000))
	}
	closeStore(t, s)
	s = open(t, options(dirs[0]))
	kept := s.Stats()[0].Records
	if err := s.Note(50, []byte("purge")); err != nil {
		t.Fatal(err)
	}
	s.Forget(50)
	closeStore(t, s)
	s = open(t, options(dirs...))
	defer closeStore(t, s)
	awaitLoaded(t, s)
	if st := s.Stats(); st[1].Records != 0 || st[0].Records < kept || len(s.Notes()) > 0 {
		t.Errorf("%+v", st)
	}
}

// Once the disk is full, only what is offered again is written.
func TestSecondHit(t *testing.T) {
	o := options(t.TempDir())
	o.Size, o.Admission = 8<<20, disk.SecondHit
	s := open(t, o)
	version := uint64(0)
	for s.Stats()[0].Evicted == 0 {
		version++
		put(t, s, record(fmt.Sprint("/", version), 0, version, 50_000))
	}
	f := func(s *disk.Store, key string, want ...bool) {
		t.Helper()
		for i := range want {
			version++
			if got := tryPut(s, key, version, 1000); got != want[i] {
				t.Errorf("%s, offer %d: %v", key, i+1, got)
			}
		}
	}
	f(s, "/a", false, true, true)
	f(s, "/b", false)
	f(s, "/c", false, true)
	f(s, "/b", true)
	closeStore(t, s)
	s = open(t, o)
	defer closeStore(t, s)
	f(s, "/d", false, true)
}

// A content that is being read follows its record as eviction copies it, and fails cleanly when the record is gone.
func TestContentsOutliveEviction(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Size, o.Segment = 4<<20, 512<<10
	s := open(t, o)
	defer closeStore(t, s)
	const size = 200_000
	put(t, s, record("/read", 0, 1, size), record("/idle", 0, 2, size))
	read := s.Load(context.Background(), idOf("/read"), "/read")[0]
	idle := s.Load(context.Background(), idOf("/idle"), "/idle")[0]
	for i := range uint64(400) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+3, 20_000))
		if err := check(read, "/read"); err != nil {
			t.Fatalf("after %d records: %v", i, err)
		}
	}
	if err := check(idle, "/idle"); !errors.Is(err, disk.ErrGone) {
		t.Errorf("%v", err)
	}
	put(t, s, record("/read", 0, 1000, size)) // a newer version isn't that one
	for i := range uint64(400) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+3, 20_000))
	}
	if err := check(read, "/read"); !errors.Is(err, disk.ErrGone) {
		t.Errorf("%v", err)
	}
}

// A store that is closed in a hurry tells of each record whether it was written.
func TestCloseTellsOfEveryRecord(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Millisecond, time.Minute} {
		o := options(t.TempDir())
		s := open(t, o)
		told := make(chan bool, 1000)
		taken := 0
		for i := range uint64(1000) {
			if s.Put(record(fmt.Sprint("/", i), 0, i+1, 5000), func(written bool) { told <- written }) {
				taken++
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := s.Close(ctx)
		cancel()
		if limit == time.Minute && err != nil || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(told)
		written := 0
		for is := range told {
			taken--
			if is {
				written++
			}
		}
		s = open(t, o)
		awaitLoaded(t, s)
		if got := s.Stats()[0].Records; taken != 0 || got != int64(written) {
			t.Errorf("within %v: %d untold, %d written, %d there", limit, taken, written, got)
		}
		closeStore(t, s)
	}
}

// What is offered beyond the queue's room, or too large for a segment, isn't taken.
func TestPutRefuses(t *testing.T) {
	o := options(t.TempDir())
	fs, hang := new(faulty), make(chan struct{})
	s := openOn(t, o, fs)
	fs.set(func() {
		fs.write = func(_ string, p []byte, _ int64) (int, error) { <-hang; return len(p), nil }
	})
	bytes, same := int64(0), content("/x", 0, 0, 100_000)
	for i := range 200 {
		r := cache.Record{Key: fmt.Sprint(i), ID: idOf(fmt.Sprint(i)), Born: 1, Content: same}
		if s.Put(r, nil) {
			bytes += same.Size()
		}
	}
	if bytes > o.Queue || bytes < o.Queue/2 || s.Stats()[0].Queue > o.Queue {
		t.Errorf("%d bytes are queued, %d may be", bytes, o.Queue)
	}
	s.Delete(idOf("5"))
	close(hang)
	fs.set(func() { fs.write = nil })
	for s.Stats()[0].Queue > 0 {
		time.Sleep(time.Millisecond)
	}
	if s.Has(idOf("5")) || !s.Has(idOf("6")) {
		t.Error("what was deleted in the queue is written, or what wasn't isn't")
	}
	if s.Put(record("/large", 0, 1, 1<<20), nil) || s.Put(record(strings.Repeat("x", 1<<17), 0, 1, 1), nil) {
		t.Error("too large, and taken")
	}
	closeStore(t, s)
}

// While the footers are read, what comes and goes in the meantime counts.
func TestWhileLoading(t *testing.T) {
	o := filled(t)
	fs, hang := new(faulty), make(chan struct{})
	fs.read = func(name string, p []byte, _ int64) error {
		if isSegment(name) && len(p) == 10*36 { // the footer's entries
			<-hang
		}
		return nil
	}
	s, err := disk.OpenOn(o, slog.New(slog.DiscardHandler), fs)
	if err != nil {
		t.Fatal(err)
	}
	if s.Sequence() != 20 || len(s.Notes()) != 1 {
		t.Errorf("sequence %d, %d notes", s.Sequence(), len(s.Notes()))
	}
	if st := s.Stats()[0]; st.State != disk.Loading || s.Oldest() != 0 || !s.Has(idOf("/other")) {
		t.Errorf("%+v, oldest %d", st, s.Oldest())
	}
	if len(versions(t, s, "/1")) > 0 {
		t.Error("known already")
	}
	s.Delete(idOf("/1"))
	s.Delete(idOf("/2"))
	put(t, s, record("/2", 0, 30, 100), record("/3", 0, 31, 100), record("/3", 1, 32, 100))
	close(hang)
	awaitLoaded(t, s)
	for key, want := range map[string]string{"/1": "map[]", "/2": "map[0:30]", "/3": "map[0:31 1:32]", "/4": "map[0:5]"} {
		if got := fmt.Sprint(versions(t, s, key)); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if s.Has(idOf("/other")) || s.Oldest() != 1 || s.Stats()[0].State != disk.OK {
		t.Errorf("%+v, oldest %d", s.Stats()[0], s.Oldest())
	}
	closeStore(t, s)
}

// Whatever octets of the files are wrong when the store is opened, nothing wrong is read, and the store works.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	o := options(t.TempDir())
	o.Segment = 64 << 10
	served := 0
	for round := range 40 {
		s := open(t, o)
		awaitLoaded(t, s)
		for i := range uint64(100) {
			key := fmt.Sprint("/", i)
			for _, found := range s.Load(context.Background(), idOf(key), key) {
				switch err := check(found, key); {
				case err == nil:
					served++
				case !errors.Is(err, disk.ErrCorrupt):
					t.Error(err)
				}
			}
			put(t, s, record(fmt.Sprint("/", i), 0, uint64(round)*100+i+1, int(i)*50))
		}
		if err := s.Note(uint64(round), []byte("purge")); err != nil {
			t.Error(err)
		}
		closeStore(t, s)
		damage(t, r, o.Paths[0])
	}
	if served < 200 || served > 3900 {
		t.Errorf("%d of 4000 are served", served)
	}
}

// damage overwrites some octets of some files, or cuts them.
func damage(t *testing.T, r *rand.Rand, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil || len(b) == 0 || r.IntN(4) > 0 && !strings.HasSuffix(name, ".seg") {
			continue
		}
		switch r.IntN(4) {
		case 0:
			b = b[:r.IntN(len(b))]
		case 1:
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		case 2:
			clear(b[r.IntN(len(b)):])
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Notes may go when no record is as old as they are, whether the records were replaced, deleted or evicted.
func TestOldestRises(t *testing.T) {
	o := options(t.TempDir())
	s := open(t, o)
	defer closeStore(t, s)
	awaitLoaded(t, s)
	if s.Oldest() != math.MaxUint64 {
		t.Errorf("of nothing: %d", s.Oldest())
	}
	for i := range uint64(40) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+1, 100_000))
	}
	if s.Oldest() != 1 {
		t.Errorf("of all: %d", s.Oldest())
	}
	before := s.Stats()[0].Segments
	for i := range 20 {
		s.Delete(idOf(fmt.Sprint("/", i)))
	}
	if got := s.Oldest(); got < 2 || got > 21 {
		t.Errorf("after the first half was deleted: %d", got)
	}
	put(t, s, record("/a", 0, 100, 100))
	for s.Stats()[0].Segments >= before {
		time.Sleep(time.Millisecond)
	}
	for i := range 40 {
		s.Delete(idOf(fmt.Sprint("/", i)))
	}
	if got := s.Oldest(); got < 22 || got > 100 {
		t.Errorf("after all were deleted: %d", got)
	}
}

// Once a newer version is taken, the older one isn't there any more, whatever becomes of the newer.
func TestOlderVersionsDontComeBack(t *testing.T) {
	o := options(t.TempDir())
	fs, hang, writing := new(faulty), make(chan struct{}), make(chan struct{})
	s := openOn(t, o, fs)
	put(t, s, record("/a", 0, 1, 100), record("/a", 1, 2, 100))
	fs.set(func() {
		fs.write = func(_ string, p []byte, _ int64) (int, error) {
			select {
			case writing <- struct{}{}:
			case <-hang:
			}
			<-hang
			return len(p), nil
		}
	})
	told := make(chan string, 4)
	for version := uint64(3); version <= 5; version++ {
		s.Put(record("/a", 0, version, 100), func(written bool) { told <- fmt.Sprint(version, written) })
		if got := fmt.Sprint(versions(t, s, "/a")); got != "map[1:2]" {
			t.Errorf("while version %d is queued: %s", version, got)
		}
		if version == 3 {
			<-writing // it no longer waits, so that 4 does, and 5 supersedes it
		}
	}
	close(hang)
	for range 3 {
		if got := <-told; got == "4 true" {
			t.Error("superseded, and written")
		}
	}
	if got := fmt.Sprint(versions(t, s, "/a")); got != "map[0:5 1:2]" {
		t.Errorf("in the end: %s", got)
	}
	closeStore(t, s)
	fs.set(func() { fs.write = nil })
	s = openOn(t, o, fs)
	if got := fmt.Sprint(versions(t, s, "/a")); got != "map[0:5 1:2]" {
		t.Errorf("after a restart: %s", got)
	}
	if s.Put(record("/a", 0, 6, 10<<20), nil) {
		t.Error("taken, and too large")
	}
	if got := fmt.Sprint(versions(t, s, "/a")); got != "map[1:2]" {
		t.Errorf("after one that wasn't taken: %s", got)
	}
	fs.set(func() { fs.write = func(string, []byte, int64) (int, error) { return 0, syscall.EIO } })
	if tryPut(s, "/a", 7, 10) || len(versions(t, s, "/a")) != 1 {
		t.Error("written in spite of the fault")
	}
	closeStore(t, s)
}

// What is forgotten leaves the file of notes.
func TestForgottenNotesLeaveTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t.TempDir())
		s := openOn(t, o, new(faulty))
		for i := range uint64(50) {
			if err := s.Note(i+1, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		size := func() int64 {
			info, err := os.Stat(filepath.Join(o.Paths[0], "notes"))
			if err != nil {
				t.Fatal(err)
			}
			return info.Size()
		}
		before := size()
		s.Forget(10)
		time.Sleep(time.Minute)
		if size() != before {
			t.Error("written anew for a fifth of it")
		}
		s.Forget(40)
		time.Sleep(time.Minute)
		if size() > before/4 {
			t.Errorf("%d of %d bytes are left", size(), before)
		}
		if err := s.Note(60, nil); err != nil {
			t.Error(err)
		}
		closeStore(t, s)
		s = openOn(t, o, new(faulty))
		if len(s.Notes()) != 11 || s.Sequence() != 60 {
			t.Errorf("%d notes, sequence %d", len(s.Notes()), s.Sequence())
		}
		closeStore(t, s)
	})
}
