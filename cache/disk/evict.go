package disk

import (
	"errors"
	"slices"
)

// keepShare bounds the records that an eviction copies, as a part of a segment: what is read is kept, and yet each
// eviction frees half a segment, so that at most two bytes are written for one that comes.
const keepShare = 0.5

// errNoRoom is a disk that has no segment left to evict.
var errNoRoom = errors.New("no segment can be evicted")

// shrink evicts the oldest segments until there is room for one more. With keep, records that have been read are
// copied to the segment that is written now, which has just begun.
func (w *writer) shrink(keep bool) error {
	for w.v.used()+w.v.segmentSize > w.v.limit.Load() {
		victim := w.victim()
		if victim == nil {
			if w.seg != nil {
				return nil // it has its room already
			}
			return errNoRoom
		}
		if err := w.v.awaitLoaded(); err != nil {
			return err
		}
		w.evict(victim, keep)
	}
	return nil
}

// drain removes the oldest segments while nothing in them is live. Later ones stay: without them, a start might find
// that what was deleted in them is there in an older version.
func (w *writer) drain() {
	for g := w.victim(); g != nil && w.v.loading.over() && g.live.Load() == 0; g = w.victim() {
		w.v.drop(g)
	}
}

// victim is the oldest segment but that which is written.
func (w *writer) victim() *segment {
	if g := w.v.segments.first(); g != w.seg {
		return g
	}
	return nil
}

// evict removes a segment.
func (w *writer) evict(g *segment, keep bool) {
	found, err := g.contents(w.v.seed)
	if keep && err == nil {
		for _, e := range w.worth(g, found.list) {
			w.copy(g, e)
		}
		w.flush()
	}
	n := 0
	for _, e := range found.list {
		if w.v.directory.remove(e.id, e.variant, place{g.serial, e.offset}) {
			n++
		}
	}
	if g.live.Load() > 0 { // some that can't be read any more
		n += w.v.directory.sweep(g.serial)
	}
	w.v.full.Store(true)
	w.v.figures.evicted.Add(uint64(n))
	w.v.drop(g)
}

// worth chooses what eviction copies: records that were read, the most read first, as much as may be.
func (w *writer) worth(g *segment, list []entry) (chosen []entry) {
	type candidate struct {
		entry
		reads uint8
	}
	var all []candidate
	for _, e := range list {
		if s, ok := w.v.directory.find(e.id, e.variant); ok && s.reads > 0 && s.place == (place{g.serial, e.offset}) {
			all = append(all, candidate{e, s.reads})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return int(b.reads) - int(a.reads) })
	left := int64(keepShare * float64(w.v.segmentSize))
	for _, c := range all {
		if size := int64(c.size) * align; size <= left {
			left -= size
			chosen = append(chosen, c.entry)
		}
	}
	slices.SortFunc(chosen, func(a, b entry) int { return int(int64(a.offset) - int64(b.offset)) })
	return chosen
}

// copy appends a record's copy, which differs in its place alone. It is verified: damage isn't copied.
func (w *writer) copy(g *segment, e entry) {
	size := int64(e.size) * align
	if w.seg == nil || w.start+int64(len(w.buf))+size+footerSize(len(w.found.list)+len(w.ready)+1) > w.v.segmentSize {
		return
	}
	from, begin := place{g.serial, e.offset}, w.start+int64(len(w.buf))
	h, err := w.copyRecord(g, from, begin)
	if err != nil {
		w.copyFailed(e, from, err)
		w.rewind(begin)
		return
	}
	w.finish(&h)
	w.v.figures.kept.Add(1)
	w.complete(ready{entry: w.entry(&h, begin), born: h.born, from: from})
}

func (w *writer) copyFailed(e entry, from place, err error) {
	switch {
	case errors.Is(err, errDamaged):
		w.v.corrupt(e.id, e.variant, from, err)
	case w.seg != nil: // else it was the write, and fail has seen to it
		w.v.reads.fault(w.v.log, "read", err)
	}
}

// copyRecord appends the record at from, but for its trailer.
func (w *writer) copyRecord(g *segment, from place, begin int64) (head, error) {
	b, err := w.read(g, from.at(), headSize)
	if err != nil {
		return head{}, err
	}
	h, err := parseHead(b, w.v.seed, from)
	if err != nil {
		return h, err
	}
	if b, err = w.read(g, from.at()+headSize, int64(h.key+h.meta)); err != nil {
		return h, err
	}
	if !h.textOK(b, w.v.seed) {
		return h, errDamaged
	}
	w.buf = append(h.append(w.buf, w.v.seed, placeOf(w.seg.serial, begin)), b...)
	return h, w.copyChunks(g, from.at()+h.content(), &h)
}

func (w *writer) copyChunks(g *segment, at int64, h *head) error {
	for chunk, left := int64(0), h.length; left > 0; chunk++ {
		n := min(left, chunkSize)
		b, err := w.read(g, at, n+crcSize)
		if err != nil {
			return err
		}
		if !chunkOK(b, w.v.seed, h.number, chunk) {
			return errDamaged
		}
		w.buf = append(w.buf, b...)
		at, left = at+n+crcSize, left-n
		if len(w.buf) < aggregate {
			continue
		}
		if err := w.spill(); err != nil {
			return err
		}
	}
	return nil
}

// read reads what is to be copied. The octets are good until the next read.
func (w *writer) read(g *segment, at, n int64) ([]byte, error) {
	if int64(cap(w.copies)) < n {
		w.copies = make([]byte, max(n, chunkSize+crcSize))
	}
	b := w.copies[:n]
	return b, readFull(g.file, b, at)
}
