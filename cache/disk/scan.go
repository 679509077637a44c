package disk

import "math"

// scanned is what a segment holds.
type scanned struct {
	summary
	list   []entry
	end    int64 // where the next record, or the footer, begins
	sealed bool  // there is a good footer
}

// readSummary reads the end of a segment's footer; sealed tells whether there is one.
func (g *segment) readSummary(s seed) (sum summary, sealed bool) {
	size, err := g.file.Size()
	if err != nil || size < prefixSize+footerTrailerSize {
		return sum, false
	}
	var b [footerTrailerSize]byte
	if readFull(g.file, b[:], size-footerTrailerSize) != nil {
		return sum, false
	}
	sum, err = parseSummary(b[:], s, g.serial, size)
	return sum, err == nil
}

// contents returns what is in the segment: what its footer says, or what a walk from head to head finds.
func (g *segment) contents(s seed) (scanned, error) {
	if sum, sealed := g.readSummary(s); sealed {
		if list, err := g.readEntries(s, sum); err == nil {
			return scanned{summary: sum, list: list, sealed: true}, nil
		}
	}
	return g.walk(s)
}

func (g *segment) readEntries(s seed, sum summary) ([]entry, error) {
	size, err := g.file.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, sum.count*entrySize)
	if err := readFull(g.file, b, size-footerSize(sum.count)); err != nil {
		return nil, err
	}
	return parseEntries(b, s, g.serial, sum)
}

// walk goes from head to head, up to the first that isn't right: a torn record, or the end. Contents aren't verified
// before they are read.
func (g *segment) walk(s seed) (scanned, error) {
	found := scanned{summary: summary{oldest: math.MaxUint64}, end: prefixSize}
	size, err := g.file.Size()
	if err != nil {
		return found, err
	}
	w := window{f: g.file, size: size}
	for {
		h, ok := w.record(s, placeOf(g.serial, found.end))
		if !ok {
			return found, w.err
		}
		found.list = append(found.list, entry{
			id: h.id, variant: h.variant, offset: uint32(found.end / align), size: uint32(h.size() / align), head: headUnits(h.content()),
		})
		found.add(&h)
		found.end += h.size()
	}
}

// add counts a record in.
func (s *summary) add(h *head) {
	s.oldest, s.newest, s.number = min(s.oldest, h.born), max(s.newest, h.born), max(s.number, h.number)
}

// windowSize is how much a walk reads at once, in bytes: many small records, and little more than a head of large ones.
const windowSize = 16 << 10

// window reads a file piece by piece.
type window struct {
	f    file
	size int64
	buf  [windowSize]byte
	at   int64
	n    int
	err  error // other than the end of the file
}

// record reads the head of the record at p, which is there as a whole.
func (w *window) record(s seed, p place) (h head, ok bool) {
	h, err := parseHead(w.bytes(p.at(), headSize), s, p)
	if err != nil || p.at()+h.size() > w.size {
		return h, false
	}
	return h, h.complete(w.bytes(p.at()+h.trailer(), trailerSize), s)
}

// bytes returns n octets at at, nil when they aren't there.
func (w *window) bytes(at int64, n int) []byte {
	if at+int64(n) > w.size || w.err != nil {
		return nil
	}
	if at < w.at || at+int64(n) > w.at+int64(w.n) {
		w.at, w.n = at, int(min(windowSize, w.size-at))
		if w.err = readFull(w.f, w.buf[:w.n], at); w.err != nil {
			w.n = 0
			return nil
		}
	}
	return w.buf[at-w.at:][:n]
}
