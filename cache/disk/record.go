package disk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/anyedge/anyedge/cache"
)

// A record, all numbers little-endian:
//
//	head     72 octets, below
//	key, meta
//	content  chunks of chunkSize octets, the last may be shorter; each followed by its CRC32C
//	trailer  magic, CRC32C: the record is complete
//	padding  up to a multiple of align
//
// All checksums begin with a seed that only this directory has, so that no content can pass for a record, and with
// what says where the octets belong: a head's with the segment and the offset, a chunk's with the record's number and
// its own. What is read from the wrong place doesn't pass either.
const (
	headSize    = 72
	trailerSize = 8
	crcSize     = 4
	// chunkSize is what is verified as a whole: small enough for a range to read little more than it needs.
	chunkSize = 128 << 10
	// align is the unit in which the directory keeps offsets, in bytes.
	align = 16

	headMagic    = 0x31524541 // "AER1"
	trailerMagic = 0x31544541 // "AET1"

	// maxKey and maxMeta bound what a head may name, in bytes; more is taken for damage.
	maxKey  = 64 << 10
	maxMeta = 4 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is what fails its checksum, or makes no sense.
var errDamaged = errors.New("checksum mismatch")

// seed is a directory's secret.
type seed uint64

// sum begins a checksum with the seed and what identifies the octets.
func (s seed) sum(a uint64, b uint32) uint32 {
	var p [20]byte
	binary.LittleEndian.PutUint64(p[:], uint64(s))
	binary.LittleEndian.PutUint64(p[8:], a)
	binary.LittleEndian.PutUint32(p[16:], b)
	return crc32.Update(0, castagnoli, p[:])
}

func crc(sum uint32, p []byte) uint32 { return crc32.Update(sum, castagnoli, p) }

// place is where a record stands: its segment's serial, and its offset in units of align. A later place is a newer
// record.
type place struct{ serial, offset uint32 }

func placeOf(serial uint32, offset int64) place { return place{serial, uint32(offset / align)} }

func (p place) at() int64 { return int64(p.offset) * align }

func (p place) before(q place) bool {
	return p.serial < q.serial || p.serial == q.serial && p.offset < q.offset
}

// id is one number that tells places apart.
func (p place) id() uint64 { return uint64(p.serial)<<32 | uint64(p.offset) }

func placeFrom(id uint64) place { return place{uint32(id >> 32), uint32(id)} }

// head is what a record begins with.
type head struct {
	number  uint64 // told apart for good; a copy keeps it
	id      cache.ID
	variant uint64
	born    uint64
	length  int64 // of the content
	key     int   // lengths
	meta    int
	text    uint32 // CRC32C of key and meta
}

// append appends the head as it stands at p.
func (h *head) append(b []byte, s seed, p place) []byte {
	at := len(b)
	le := binary.LittleEndian
	b = le.AppendUint32(b, headMagic)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, h.number)
	b = append(b, h.id[:]...)
	b = le.AppendUint64(b, h.variant)
	b = le.AppendUint64(b, h.born)
	b = le.AppendUint64(b, uint64(h.length))
	b = le.AppendUint32(b, uint32(h.key))
	b = le.AppendUint32(b, uint32(h.meta))
	b = le.AppendUint32(b, h.text)
	b = le.AppendUint32(b, 0)
	le.PutUint32(b[at+4:], crc(s.sum(p.id(), headMagic), b[at+8:]))
	return b
}

// parseHead reads the head of the record at p.
func parseHead(b []byte, s seed, p place) (h head, err error) {
	le := binary.LittleEndian
	if len(b) < headSize || le.Uint32(b) != headMagic {
		return h, errDamaged
	}
	b = b[:headSize]
	if le.Uint32(b[4:]) != crc(s.sum(p.id(), headMagic), b[8:]) {
		return h, errDamaged
	}
	h = head{
		number: le.Uint64(b[8:]), id: cache.ID(b[16:32]), variant: le.Uint64(b[32:]), born: le.Uint64(b[40:]),
		length: int64(le.Uint64(b[48:])), key: int(le.Uint32(b[56:])), meta: int(le.Uint32(b[60:])), text: le.Uint32(b[64:]),
	}
	if h.length < 0 || h.length > maxSegment || h.key > maxKey || h.meta > maxMeta || le.Uint32(b[68:]) != 0 {
		return h, errDamaged
	}
	return h, nil
}

// textSum is the checksum of key and meta.
func textSum(s seed, number uint64, key string, meta []byte) uint32 {
	return crc(crc(s.sum(number, headMagic), []byte(key)), meta)
}

// textOK tells whether text is the record's key and meta.
func (h *head) textOK(text []byte, s seed) bool {
	return crc(s.sum(h.number, headMagic), text) == h.text
}

// chunkSum begins the checksum of a content's chunk.
func chunkSum(s seed, number uint64, chunk int64) uint32 { return s.sum(number, uint32(chunk)) }

// content is where the content begins, counted from the record's start.
func (h *head) content() int64 { return int64(headSize + h.key + h.meta) }

// trailer is where the trailer begins.
func (h *head) trailer() int64 { return h.content() + storedLength(h.length) }

// size is how many bytes the record takes.
func (h *head) size() int64 { return aligned(h.trailer() + trailerSize) }

// storedLength is what a content takes with its checksums.
func storedLength(length int64) int64 {
	return length + (length+chunkSize-1)/chunkSize*crcSize
}

func aligned(n int64) int64 { return (n + align - 1) &^ (align - 1) }

// appendTrailer ends a record.
func (h *head) appendTrailer(b []byte, s seed) []byte {
	b = binary.LittleEndian.AppendUint32(b, trailerMagic)
	return binary.LittleEndian.AppendUint32(b, s.sum(h.number, trailerMagic))
}

// complete tells whether b is the record's trailer.
func (h *head) complete(b []byte, s seed) bool {
	le := binary.LittleEndian
	return len(b) >= trailerSize && le.Uint32(b) == trailerMagic && le.Uint32(b[4:]) == s.sum(h.number, trailerMagic)
}
