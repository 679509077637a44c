package disk

import (
	"errors"

	"github.com/anyedge/anyedge/cache"
)

// load reads a record's head; ok is false when it isn't that key's, or can't be read.
func (v *volume) load(stop <-chan struct{}, id cache.ID, key string, s slot) (r cache.Record, number uint64, ok bool) {
	b, h, err := v.readHead(stop, s)
	if err != nil {
		v.unreadable(id, s, err)
		return r, 0, false
	}
	defer b.free()
	text := b.b[headSize:h.content()]
	if !h.textOK(text, v.seed) {
		v.unreadable(id, s, errDamaged)
		return r, 0, false
	}
	if h.id != id || h.variant != s.variant || string(text[:h.key]) != key {
		return r, 0, false
	}
	v.directory.touch(id, s.variant)
	return cache.Record{
		ID: id, Key: key, Variant: h.variant, Born: h.born, Meta: append([]byte(nil), text[h.key:]...),
		Content: newContent(v, s.place, &h),
	}, h.number, true
}

// readHead reads head, key and meta of a record.
func (v *volume) readHead(stop <-chan struct{}, s slot) (*buffer, head, error) {
	n := headGuess
	if s.head > 0 {
		n = int(s.head) * 64
	}
	for range 2 {
		b, err := v.readers.read(stop, s.place.serial, s.place.at(), n, 0)
		if err != nil {
			return nil, head{}, err
		}
		h, err := parseHead(b.b, v.seed, s.place)
		if err == nil && int64(len(b.b)) >= h.content() {
			return b, h, nil
		}
		b.free()
		if err != nil {
			return nil, h, err
		}
		n = int(h.content())
	}
	return nil, head{}, errDamaged
}

// unreadable drops a record whose head is damaged.
func (v *volume) unreadable(id cache.ID, s slot, err error) {
	if errors.Is(err, errDamaged) {
		v.corrupt(id, s.variant, s.place, err)
	}
}
