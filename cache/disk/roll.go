package disk

import "math"

// room makes sure that a record of size fits in the segment, with the footer.
func (w *writer) room(size int64) bool {
	if w.seg != nil {
		end := w.start + int64(len(w.buf)) + size + footerSize(len(w.found.list)+len(w.ready)+1)
		if end <= w.v.segmentSize {
			return true
		}
	}
	return w.roll() == nil && w.seg != nil // a copy may have failed
}

// roll begins a new segment, and makes room on the disk for the next one.
func (w *writer) roll() error {
	w.flush()
	w.seal()
	if err := w.shrink(false); err != nil { // the last roll has seen to it, unless the limit came down
		return err
	}
	g, err := w.v.newSegment(w.serial + 1)
	if err != nil {
		w.v.writes.fault(w.v.log, "begin a segment", err)
		return err
	}
	w.serial++
	w.seg, w.start = g, prefixSize
	w.found = scanned{summary: summary{oldest: math.MaxUint64}}
	w.v.segments.add(g)
	return w.shrink(true)
}

// seal writes the segment's footer, without the records that have been replaced. Those that were deleted are in it:
// without them a start would take an older version for the newest.
func (w *writer) seal() {
	g := w.seg
	if g == nil {
		return
	}
	w.seg = nil
	list := w.found.list[:0]
	for _, e := range w.found.list {
		if s, ok := w.v.directory.find(e.id, e.variant); !ok || !(place{g.serial, e.offset}).before(s.place) {
			list = append(list, e)
		}
	}
	sum := summary{oldest: g.oldest.Load(), newest: w.v.newest.Load(), number: w.number}
	b := appendFooter(nil, w.v.seed, g.serial, list, sum)
	if _, err := g.file.WriteAt(b, w.start); err != nil {
		w.v.writes.fault(w.v.log, "seal a segment", err)
		_ = g.file.Truncate(w.start) // else a start walks up to here as well
		g.bytes.Store(w.start)
		return
	}
	end := w.start + int64(len(b))
	if err := g.file.Truncate(end); err != nil { // gives back what was allocated
		w.v.writes.fault(w.v.log, "seal a segment", err)
		return
	}
	g.bytes.Store(end)
}
