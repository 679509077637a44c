package disk_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
)

// options are those of a small store that writes everything.
func options(paths ...string) disk.Options {
	var o disk.Options
	o.SetDefaults()
	o.Paths = paths
	o.Size, o.Segment, o.Admission, o.MinFree = 64<<20, 1<<20, disk.All, 0
	o.Queue = 8 << 20
	return o
}

func open(t testing.TB, o disk.Options) *disk.Store {
	t.Helper()
	s, err := disk.Open(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *disk.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func idOf(key string) cache.ID {
	sum := sha256.Sum256([]byte(key))
	return cache.ID(sum[:16])
}

// content is what the record of a key, variant and version has: any two differ.
func content(key string, variant, version uint64, size int) cache.Pieces {
	seed := sha256.Sum256(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64([]byte(key), variant), version))
	b := make([]byte, size)
	rand.NewChaCha8(seed).Read(b)
	cut := size / 3
	return cache.Pieces{b[:cut], b[cut:]}
}

func record(key string, variant, version uint64, size int) cache.Record {
	return cache.Record{
		ID: idOf(key), Key: key, Variant: variant, Born: version, Meta: fmt.Appendf(nil, "%s %d %d %d", key, variant, version, size),
		Content: content(key, variant, version, size),
	}
}

// put writes records, and waits until they are written.
func put(t testing.TB, s *disk.Store, records ...cache.Record) {
	t.Helper()
	for _, r := range records {
		done := make(chan bool, 1)
		if !s.Put(r, func(written bool) { done <- written }) || !<-done {
			t.Fatalf("%s wasn't written", r.Key)
		}
	}
}

// check holds a record that was loaded against what its meta says of it, octet for octet.
func check(r cache.Record, key string) error {
	var name string
	var variant, version uint64
	var size int
	if _, err := fmt.Sscanf(string(r.Meta), "%s %d %d %d", &name, &variant, &version, &size); err != nil {
		return err
	}
	if name != key || r.Key != key || r.ID != idOf(key) || variant != r.Variant || version != r.Born || r.Content.Size() != int64(size) {
		return fmt.Errorf("%s: loaded %q, %d, %d, %d bytes", key, r.Meta, r.Variant, r.Born, r.Content.Size())
	}
	var got bytes.Buffer
	if n, err := r.Content.WriteRange(&got, 0, int64(size)); err != nil || n != int64(size) {
		return fmt.Errorf("%s: %d of %d bytes: %w", key, n, size, err)
	}
	if !bytes.Equal(got.Bytes(), slices.Concat(content(key, variant, version, size)...)) {
		return fmt.Errorf("%s: another content", key)
	}
	return nil
}

// versions loads a key's records, checks them, and returns their versions by variant.
func versions(t testing.TB, s *disk.Store, key string) map[uint64]uint64 {
	t.Helper()
	found := map[uint64]uint64{}
	for _, r := range s.Load(context.Background(), idOf(key), key) {
		if err := check(r, key); err != nil {
			t.Error(err)
		}
		if _, twice := found[r.Variant]; twice {
			t.Errorf("%s: variant %d is there twice", key, r.Variant)
		}
		found[r.Variant] = r.Born
	}
	return found
}

// awaitLoaded waits until a store knows all that it has.
func awaitLoaded(t testing.TB, s *disk.Store) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); s.Oldest() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

func TestRecordsSurviveARestart(t *testing.T) {
	o := options(t.TempDir())
	s := open(t, o)
	sizes := []int{0, 1, 15, 16, 100, 4096, 128<<10 - 1, 128 << 10, 128<<10 + 1, 500_000, 900_000}
	for i, size := range sizes {
		put(t, s, record(fmt.Sprint("/", i), 7, uint64(i+1), size))
	}
	closeStore(t, s)
	s = open(t, o)
	defer closeStore(t, s)
	awaitLoaded(t, s)
	for i := range sizes {
		if got := versions(t, s, fmt.Sprint("/", i)); got[7] != uint64(i+1) {
			t.Errorf("%d: %v", i, got)
		}
	}
	if s.Has(idOf("/other")) || len(s.Load(context.Background(), idOf("/0"), "/1")) > 0 {
		t.Error("there is what nobody put")
	}
	if got := s.Sequence(); got != uint64(len(sizes)) {
		t.Errorf("the sequence is %d", got)
	}
	if got := s.Oldest(); got != 1 {
		t.Errorf("the oldest is %d", got)
	}
}

func TestVariantsAndReplacement(t *testing.T) {
	o := options(t.TempDir())
	s := open(t, o)
	for version := uint64(1); version <= 3; version++ {
		for variant := uint64(1); variant <= 3; variant++ {
			put(t, s, record("/a", variant, 10*version+variant, 1000))
		}
	}
	want := map[uint64]uint64{1: 31, 2: 32, 3: 33}
	for range 2 {
		if got := versions(t, s, "/a"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v", got)
		}
		list := s.Load(context.Background(), idOf("/a"), "/a")
		if len(list) != 3 || list[0].Variant != 3 || list[2].Variant != 1 {
			t.Errorf("not newest first: %v", list)
		}
		closeStore(t, s)
		s = open(t, o)
		awaitLoaded(t, s)
	}
	s.Delete(idOf("/a"))
	if s.Has(idOf("/a")) || len(versions(t, s, "/a")) > 0 {
		t.Error("deleted, and still there")
	}
	closeStore(t, s)
}

func TestManyVariantsAreBounded(t *testing.T) {
	s := open(t, options(t.TempDir()))
	defer closeStore(t, s)
	for i := range uint64(100) {
		put(t, s, record("/a", i, i+1, 10))
	}
	got := versions(t, s, "/a")
	if len(got) != 64 || got[99] != 100 {
		t.Errorf("%d variants", len(got))
	}
}

func TestRanges(t *testing.T) {
	s := open(t, options(t.TempDir()))
	defer closeStore(t, s)
	const size = 300_000
	put(t, s, record("/a", 0, 1, size))
	whole := slices.Concat(content("/a", 0, 1, size)...)
	c := s.Load(context.Background(), idOf("/a"), "/a")[0].Content
	f := func(start, length int64) {
		var got bytes.Buffer
		if _, err := c.WriteRange(&got, start, length); err != nil || !bytes.Equal(got.Bytes(), whole[start:start+length]) {
			t.Errorf("%d+%d: %v", start, length, err)
		}
	}
	f(0, 0)
	f(0, size)
	f(size, 0)
	f(size-1, 1)
	f(128<<10-1, 2)
	f(128<<10, 128<<10)
	f(1, size-2)
	for _, bad := range [][2]int64{{-1, 1}, {0, size + 1}, {size, 1}, {1, math.MaxInt64}, {0, -1}} {
		if n, err := c.WriteRange(io.Discard, bad[0], bad[1]); err == nil || n > 0 {
			t.Errorf("%v: %d, %v", bad, n, err)
		}
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	o := options(t.TempDir())
	s := open(t, o)
	if _, err := disk.Open(o, slog.New(slog.DiscardHandler)); !errors.Is(err, disk.ErrInUse) {
		t.Errorf("%v", err)
	}
	closeStore(t, s)
	closeStore(t, open(t, o))
}

func TestNotesSurvive(t *testing.T) {
	o := options(t.TempDir())
	s := open(t, o)
	errs := make(chan error, 100)
	for i := range uint64(100) {
		go func() { errs <- s.Note(i+1, fmt.Appendf(nil, "note %d", i+1)) }()
	}
	for range 100 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if len(s.Notes()) != 0 {
		t.Error("a note that wasn't there at the start")
	}
	closeStore(t, s)
	s = open(t, o)
	if n := s.Notes(); len(n) != 100 || string(n[0]) != "note 1" || string(n[99]) != "note 100" || s.Sequence() != 100 {
		t.Errorf("%d notes, sequence %d", len(n), s.Sequence())
	}
	s.Forget(90)
	closeStore(t, s)
	s = open(t, o)
	if n := s.Notes(); len(n) != 10 || string(n[0]) != "note 91" || s.Sequence() != 100 {
		t.Errorf("%d notes are left: %q", len(n), n)
	}
	closeStore(t, s)
}

// What is read outlives what isn't, and the disk's size holds all the while.
func TestEvictionKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Size = 8 << 20
	s := open(t, o)
	defer closeStore(t, s)
	const size = 20_000
	put(t, s, record("/hot", 0, 1, size))
	for i := range uint64(2000) {
		put(t, s, record(fmt.Sprint("/", i), 0, i+1, size))
		if got := s.Stats()[0]; got.Bytes > o.Size {
			t.Fatalf("%d bytes of %d", got.Bytes, o.Size)
		}
		if i%10 == 0 && versions(t, s, "/hot")[0] != 1 {
			t.Fatalf("after %d records the hot one is gone", i)
		}
	}
	st := s.Stats()[0]
	if st.Evicted == 0 || st.Kept == 0 || st.Records < 200 || st.Records > 420 {
		t.Errorf("%+v", st)
	}
	if len(versions(t, s, "/1999")) != 1 || len(versions(t, s, "/0")) != 0 {
		t.Error("not first in, first out")
	}
	if s.Oldest() != 1 {
		t.Errorf("the oldest is %d", s.Oldest())
	}
}
