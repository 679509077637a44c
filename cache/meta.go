package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// metaVersion is the first octet of a record's meta part. A form that is read otherwise needs another one: records of
// versions that aren't known are none.
const metaVersion = 2

// The flags of a record's meta part.
const (
	metaNoCache = 1 << iota
	metaNoStale
	metaShared
	metaImmutable
	metaSoft
	metaLimited
	metaSliced
	metaFlags = 1<<iota - 1 // all of them
)

// appendMeta appends what a Store keeps of a stored response beside its content. Numbers are varints, strings have their
// length before them, and times are wall-clock time, seconds and nanoseconds, since a monotonic clock ends with the
// process.
//
//	version, status, flags
//	received, date; initial age, lifetime, stale-while-revalidate, stale-if-error
//	count of Vary's fields, of each: name, present, value in normal form, line as it came
//	count of tags, their hashes
//	header section, trailer section
//	of a content in slices: generation, complete length, length of a slice, validator
func appendMeta(b []byte, s *Response) []byte {
	f := &s.figures
	b = append(b, metaVersion)
	b = binary.AppendUvarint(b, uint64(s.status))
	b = append(b, metaFlagsOf(s))
	b = appendTime(appendTime(b, f.received), s.date.time())
	for _, d := range []time.Duration{f.initialAge, f.lifetime, f.whileRevalidate, f.ifError} {
		b = binary.AppendUvarint(b, uint64(max(d, 0)))
	}
	b = binary.AppendUvarint(b, uint64(len(s.vary)))
	for i := range s.vary {
		v := &s.vary[i]
		b = append(appendText(b, v.name), flag(v.present, 1))
		b = appendText(appendText(b, v.value), v.first)
	}
	b = binary.AppendUvarint(b, uint64(len(s.tags)))
	for _, tag := range s.tags {
		b = binary.BigEndian.AppendUint64(b, tag)
	}
	b = appendText(appendText(b, string(s.originFields())), string(s.trailer))
	if c := s.slices(); c != nil {
		b = appendSliced(b, c)
	}
	return b
}

func metaFlagsOf(s *Response) byte {
	f := &s.figures
	return flag(f.noCache, metaNoCache) | flag(f.noStale, metaNoStale) | flag(f.shared, metaShared) |
		flag(f.immutable, metaImmutable) | flag(f.limited, metaLimited) | flag(s.soft.Load(), metaSoft) |
		flag(s.Sliced(), metaSliced)
}

func flag(is bool, bit byte) byte {
	if is {
		return bit
	}
	return 0
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseMeta returns the response, without its content unless that is in slices, of which b says all there is to know; nil when b isn't whole, or
// of another version.
func parseMeta(b []byte) *Response {
	r := metaReader{rest: b, ok: true}
	if r.octet() != metaVersion {
		return nil
	}
	s := &Response{status: int(r.number(999))}
	flags := r.octet()
	s.figures = figures{
		limited: flags&metaLimited != 0, noCache: flags&metaNoCache != 0, noStale: flags&metaNoStale != 0,
		shared: flags&metaShared != 0, immutable: flags&metaImmutable != 0,
	}
	s.soft.Store(flags&metaSoft != 0)
	f := &s.figures
	f.received, s.date = r.time(), momentOf(r.time())
	f.initialAge, f.lifetime, f.whileRevalidate, f.ifError = r.duration(), r.duration(), r.duration(), r.duration()
	s.vary, s.tags = r.vary(), r.tags()
	s.fields, s.trailer = block(r.text()), block(r.text())
	if flags&metaSliced != 0 {
		c := r.sliced(s.fields)
		s.content, s.length = c, c.size
	}
	if !r.ok || len(r.rest) > 0 || flags > metaFlags || s.status < 200 {
		return nil
	}
	s.note(f.received)
	return s
}

// metaReader reads a meta part from its begin. After something that isn't right ok is false, and all that it returns is
// empty.
type metaReader struct {
	rest []byte
	ok   bool
}

func (r *metaReader) fail() {
	r.rest, r.ok = nil, false
}

// take returns the next n octets.
func (r *metaReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *metaReader) octet() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// number reads one of at most that size.
func (r *metaReader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > most {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *metaReader) time() time.Time {
	seconds, size := binary.Varint(r.rest)
	r.take(uint64(max(size, 0)))
	if size <= 0 {
		r.fail()
	}
	return time.Unix(seconds, int64(r.number(uint64(time.Second-1))))
}

func (r *metaReader) duration() time.Duration { return time.Duration(r.number(math.MaxInt64)) }

func (r *metaReader) text() string { return string(r.take(r.number(uint64(len(r.rest))))) }

// vary reads what Vary nominates. Each field takes 4 octets at least, so that a count can't ask for much memory.
func (r *metaReader) vary() (fields []varyField) {
	for range r.number(uint64(len(r.rest) / 4)) {
		v := varyField{name: r.text()}
		present := r.octet()
		v.present, v.value, v.first = present == 1, r.text(), r.text()
		if present > 1 {
			r.fail()
		}
		fields = append(fields, v)
	}
	return fields
}

func (r *metaReader) tags() (tags []uint64) {
	for range r.number(min(uint64(len(r.rest)/8), 1+maxTags)) {
		if b := r.take(8); b != nil {
			tags = append(tags, binary.BigEndian.Uint64(b))
		}
	}
	return tags
}

// idOf names a key in a Store.
func idOf(key []byte) ID {
	sum := sha256.Sum256(key)
	return ID(sum[:len(ID{})])
}

// variantOf tells the responses of a key apart in a Store: by what the requests that they answer say.
func variantOf(s *Response) uint64 {
	if len(s.vary) == 0 {
		return 0
	}
	sum := sha256.Sum256(appendVaryKey(nil, s.vary))
	return binary.BigEndian.Uint64(sum[:])
}
