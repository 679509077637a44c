package disk

import (
	"encoding/binary"
	"math"

	"github.com/anyedge/anyedge/cache"
)

// A segment, file SERIAL.seg:
//
//	prefix   32 octets: magic, CRC32C, serial
//	records  see record.go
//	footer   once it is full: an entry for each record that is still the newest, then the trailer
//
// The footer is what a start reads in place of the records. A segment without a good one is walked from head to head,
// and given one.
const (
	prefixSize        = 32
	entrySize         = 36
	footerTrailerSize = 48

	prefixMagic = 0x31534541 // "AES1"
	footerMagic = 0x31464541 // "AEF1"
)

// entry is what a footer says of a record.
type entry struct {
	id      cache.ID
	variant uint64
	offset  uint32 // in units of align
	size    uint32 // in units of align
	head    uint16 // see headUnits
}

// headUnits is how much to read for a record's head, key and meta, in units of 64 octets; what is longer is read in
// two goes.
func headUnits(n int64) uint16 { return uint16(min((n+63)/64, math.MaxUint16)) }

// summary is what a footer says of the segment as a whole.
type summary struct {
	count   int
	oldest  uint64 // the smallest Born; MaxUint64 for none
	newest  uint64 // the largest
	number  uint64 // the largest of the records that were ever in it
	entries uint32 // CRC32C
}

func appendPrefix(b []byte, s seed, serial uint32) []byte {
	at := len(b)
	le := binary.LittleEndian
	b = le.AppendUint32(b, prefixMagic)
	b = le.AppendUint32(b, s.sum(uint64(serial), prefixMagic))
	b = le.AppendUint32(b, serial)
	return append(b, make([]byte, prefixSize-(len(b)-at))...)
}

// isPrefix tells whether b begins the segment of that serial.
func isPrefix(b []byte, s seed, serial uint32) bool {
	le := binary.LittleEndian
	return len(b) >= prefixSize && le.Uint32(b) == prefixMagic && le.Uint32(b[4:]) == s.sum(uint64(serial), prefixMagic) &&
		le.Uint32(b[8:]) == serial
}

// appendFooter appends the footer of a segment.
func appendFooter(b []byte, s seed, serial uint32, entries []entry, sum summary) []byte {
	at := len(b)
	le := binary.LittleEndian
	for _, e := range entries {
		b = append(b, e.id[:]...)
		b = le.AppendUint64(b, e.variant)
		b = le.AppendUint32(b, e.offset)
		b = le.AppendUint32(b, e.size)
		b = le.AppendUint16(b, e.head)
		b = le.AppendUint16(b, 0)
	}
	entriesSum := crc(s.sum(uint64(serial), entrySize), b[at:])
	at = len(b)
	b = le.AppendUint32(b, footerMagic)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, uint64(len(entries)))
	b = le.AppendUint64(b, sum.oldest)
	b = le.AppendUint64(b, sum.newest)
	b = le.AppendUint64(b, sum.number)
	b = le.AppendUint32(b, entriesSum)
	b = le.AppendUint32(b, 0)
	le.PutUint32(b[at+4:], crc(s.sum(uint64(serial), footerMagic), b[at+8:]))
	return b
}

// footerSize is how long the footer of so many records is.
func footerSize(records int) int64 { return int64(records)*entrySize + footerTrailerSize }

// parseSummary reads the last octets of a segment of size bytes.
func parseSummary(b []byte, s seed, serial uint32, size int64) (sum summary, err error) {
	le := binary.LittleEndian
	if len(b) != footerTrailerSize || le.Uint32(b) != footerMagic || le.Uint32(b[4:]) != crc(s.sum(uint64(serial), footerMagic), b[8:]) {
		return sum, errDamaged
	}
	count := le.Uint64(b[8:])
	if count > uint64(size/entrySize) || prefixSize+footerSize(int(count)) > size {
		return sum, errDamaged
	}
	return summary{
		count: int(count), oldest: le.Uint64(b[16:]), newest: le.Uint64(b[24:]), number: le.Uint64(b[32:]), entries: le.Uint32(b[40:]),
	}, nil
}

// parseEntries reads the entries that sum speaks of.
func parseEntries(b []byte, s seed, serial uint32, sum summary) ([]entry, error) {
	if len(b) != sum.count*entrySize || crc(s.sum(uint64(serial), entrySize), b) != sum.entries {
		return nil, errDamaged
	}
	le := binary.LittleEndian
	entries := make([]entry, sum.count)
	for i := range entries {
		e := b[i*entrySize:]
		entries[i] = entry{
			id: cache.ID(e[:16]), variant: le.Uint64(e[16:]), offset: le.Uint32(e[24:]), size: le.Uint32(e[28:]), head: le.Uint16(e[32:]),
		}
	}
	return entries, nil
}
