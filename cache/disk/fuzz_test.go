package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

const testSeed seed = 0x1122334455667788

// memFile is a file in memory.
type memFile struct{ b []byte }

func (m *memFile) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memFile) WriteAt(p []byte, at int64) (int, error) {
	m.b = append(m.b[:at], p...)
	return len(p), nil
}

func (m *memFile) Close() error                  { return nil }
func (m *memFile) Truncate(n int64) error        { m.b = m.b[:n]; return nil }
func (m *memFile) Sync() error                   { return nil }
func (m *memFile) Size() (int64, error)          { return int64(len(m.b)), nil }
func (m *memFile) ReadCached([]byte, int64) bool { return false }
func (m *memFile) Prefetch(int64, int64)         {}
func (m *memFile) Allocate(int64) error          { return nil }

const testSerial = 3

// sampleSegment is a segment of n records, sealed or not, and where they begin.
func sampleSegment(n int, sealed bool) (b []byte, begins []int64) {
	b = appendPrefix(nil, testSeed, testSerial)
	found := scanned{summary: summary{oldest: math.MaxUint64}}
	for i := range n {
		begin := int64(len(b))
		key, meta, content := fmt.Sprint("/", i), []byte("meta"), bytes.Repeat([]byte{byte(i)}, 10*i)
		h := head{number: uint64(i + 1), id: cache.ID{byte(i)}, born: uint64(i + 5), length: int64(len(content)), key: len(key), meta: len(meta)}
		h.text = textSum(testSeed, h.number, key, meta)
		b = append(append(h.append(b, testSeed, placeOf(testSerial, begin)), key...), meta...)
		if len(content) > 0 {
			b = binary.LittleEndian.AppendUint32(append(b, content...), crc(chunkSum(testSeed, h.number, 0), content))
		}
		b = h.appendTrailer(b, testSeed)
		b = append(b, make([]byte, aligned(int64(len(b)))-int64(len(b)))...)
		begins = append(begins, begin)
		found.list = append(found.list, entry{
			id: h.id, offset: uint32(begin / align), size: uint32(h.size() / align), head: headUnits(h.content()),
		})
		found.add(&h)
	}
	if sealed {
		b = appendFooter(b, testSeed, testSerial, found.list, found.summary)
	}
	return b, begins
}

func contentsOf(b []byte) (scanned, error) {
	g := &segment{serial: testSerial, file: &memFile{b}}
	return g.contents(testSeed)
}

// A footer says the same as a walk.
func TestFooterAndWalkAgree(t *testing.T) {
	for n := range 30 {
		sealed, _ := sampleSegment(n, true)
		open, _ := sampleSegment(n, false)
		a, err := contentsOf(sealed)
		b, err2 := contentsOf(open)
		if err != nil || err2 != nil || !a.sealed || b.sealed {
			t.Fatal(err, err2, a.sealed, b.sealed)
		}
		if fmt.Sprint(a.list) != fmt.Sprint(b.list) || len(a.list) != n || a.oldest != b.oldest || a.newest != b.newest || a.number != b.number {
			t.Errorf("%d records: %+v, %+v", n, a, b)
		}
	}
}

// Cut at any octet, a segment gives the records that are whole.
func TestSegmentCutAnywhere(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		b, begins := sampleSegment(6, sealed)
		for cut := range b {
			found, err := contentsOf(b[:cut])
			whole := 0
			for i := range begins {
				end := int64(len(b))
				if i+1 < len(begins) {
					end = begins[i+1]
				} else if sealed {
					end -= footerSize(len(begins))
				}
				if int64(cut) >= end {
					whole++
				}
			}
			if err != nil || len(found.list) != whole {
				t.Fatalf("cut at %d: %d of %d records, %v", cut, len(found.list), whole, err)
			}
		}
	}
}

// A flipped bit anywhere brings no record that wasn't there.
func TestSegmentFlippedAnywhere(t *testing.T) {
	b, _ := sampleSegment(6, true)
	whole, _ := contentsOf(b)
	known := map[entry]bool{}
	for _, e := range whole.list {
		known[e] = true
	}
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		found, err := contentsOf(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found.list {
			if !known[e] {
				t.Fatalf("bit %d brings %+v", bit, e)
			}
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// What is good of itself, and in another place, isn't good.
func TestPlaceIsChecked(t *testing.T) {
	b, begins := sampleSegment(6, true)
	record := b[begins[2]:begins[3]]
	if _, err := parseHead(record, testSeed, placeOf(testSerial, begins[2])); err != nil {
		t.Fatal(err)
	}
	for _, p := range []place{placeOf(testSerial, begins[1]), placeOf(testSerial+1, begins[2]), {}} {
		if _, err := parseHead(record, testSeed, p); err == nil {
			t.Errorf("read at %v", p)
		}
	}
	if _, err := parseHead(record, testSeed+1, placeOf(testSerial, begins[2])); err == nil {
		t.Error("read in another directory")
	}
	g := &segment{serial: testSerial + 1, file: &memFile{b}}
	if found, _ := g.contents(testSeed); len(found.list) > 0 {
		t.Error("read as another segment")
	}
}

func FuzzHead(f *testing.F) {
	b, begins := sampleSegment(3, false)
	f.Add(b[begins[2]:])
	f.Add(b[:headSize-1])
	f.Fuzz(func(t *testing.T, input []byte) {
		b := bytes.Clone(input)
		fixCRC(b, headSize, 4, func(b []byte) uint32 { return crc(testSeed.sum(place{}.id(), headMagic), b[8:]) })
		h, err := parseHead(b, testSeed, place{})
		if err != nil {
			return
		}
		if h.size() < headSize+trailerSize || h.size()%align != 0 || h.trailer() < h.content() || h.size() > 2*maxSegment {
			t.Errorf("%+v: %d", h, h.size())
		}
		if got := h.append(nil, testSeed, place{}); !bytes.Equal(got, b[:headSize]) {
			t.Errorf("% x is written as % x", b[:headSize], got)
		}
	})
}

// fixCRC makes checksums good, so that what they guard is tried too.
func fixCRC(b []byte, size, at int, sum func([]byte) uint32) {
	if len(b) >= size {
		b = b[:size]
		binary.LittleEndian.PutUint32(b[at:], sum(b))
	}
}

func FuzzSegment(f *testing.F) {
	for n := range 3 {
		b, _ := sampleSegment(2*n, true)
		f.Add(b, false)
		b, _ = sampleSegment(2*n, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, input []byte, fix bool) {
		b := bytes.Clone(input)
		if at := len(b) - footerTrailerSize; fix && at >= 0 {
			binary.LittleEndian.PutUint32(b[at:], footerMagic)
			fixCRC(b[at:], footerTrailerSize, 4, func(b []byte) uint32 { return crc(testSeed.sum(testSerial, footerMagic), b[8:]) })
		}
		found, err := contentsOf(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.list) > len(b)/entrySize || !found.sealed && found.end > max(int64(len(b)), prefixSize) {
			t.Errorf("%d records in %d bytes, end %d", len(found.list), len(b), found.end)
		}
	})
}

func sampleNotes(n int) []byte {
	b := appendNotesPrefix(nil, testSeed, 0, 7)
	for i := range n {
		b = appendNote(b, testSeed, note{uint64(i + 1), bytes.Repeat([]byte{'x'}, i)})
	}
	return b
}

// Cut at any octet, the notes before it are there; all that were whole at least once.
func TestNotesCutAnywhere(t *testing.T) {
	const n = 6
	b := sampleNotes(n)
	for cut := 2 * notesPrefixSize; cut <= len(b); cut++ {
		f, err := parseNotes(b[:cut], testSeed)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := 0
		for whole < n && len(sampleNotes(whole+1)) <= cut {
			whole++
		}
		if len(f.notes) < whole || len(f.notes) > whole+1 {
			t.Errorf("cut at %d: %d notes, want %d", cut, len(f.notes), whole)
		}
		if f.damaged != (cut != len(sampleNotes(whole))) {
			t.Errorf("cut at %d: damaged is %v", cut, f.damaged)
		}
	}
}

// No flipped bit costs a note, or makes one.
func TestNotesFlippedAnywhere(t *testing.T) {
	const n = 6
	b := sampleNotes(n)
	whole, _ := parseNotes(b, testSeed)
	for bit := range 8 * len(b) {
		flipped := bytes.Clone(b)
		flipped[bit/8] ^= 1 << (bit % 8)
		f, err := parseNotes(flipped, testSeed)
		if err != nil || fmt.Sprint(f.notes) != fmt.Sprint(whole.notes) || f.sequence != 7 {
			t.Fatalf("bit %d: %+v, %v", bit, f, err)
		}
	}
}

func FuzzNotes(f *testing.F) {
	f.Add(sampleNotes(3))
	f.Add(sampleNotes(0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := append(appendNotesPrefix(nil, testSeed, 1, 2), b...)
		whole = append(whole, make([]byte, -len(whole)&(noteAlign-1))...)
		good := note{sequence: 9, text: []byte("the last")}
		got, err := parseNotes(appendNote(whole, testSeed, good), testSeed)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range got.notes {
			if n.sequence == good.sequence && bytes.Equal(n.text, good.text) {
				return
			}
		}
		t.Error("the note behind is lost")
	})
}

func FuzzLabel(f *testing.F) {
	f.Add(appendLabel(nil, testSeed))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseLabel(b); err == nil && !bytes.Equal(appendLabel(nil, s), b) {
			t.Errorf("% x is read as %x", b, s)
		}
	})
}
