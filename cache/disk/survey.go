package disk

import (
	"errors"
	"path/filepath"
	"slices"
)

// survey opens the segments. It walks those without a footer, of which there is one after a crash, and seals them, so
// that each is walked once.
func (v *volume) survey() error {
	list, err := v.fs.ReadDir(v.path)
	if err != nil {
		return err
	}
	var serials []uint32
	for _, e := range list {
		if serial, ok := segmentSerial(e.Name()); ok {
			serials = append(serials, serial)
		}
	}
	slices.Sort(serials)
	for _, serial := range serials {
		v.writer.serial = max(v.writer.serial, serial)
		if err := v.openSegment(serial); err != nil {
			return err
		}
	}
	return v.fit()
}

// openSegment opens a segment. One that holds nothing, or can't be read, is removed; one that can't be opened is an
// error, because that is about the process or the whole disk.
func (v *volume) openSegment(serial uint32) error {
	g := &segment{serial: serial, path: segmentName(v.path, serial)}
	f, err := v.fs.Open(g.path)
	if err != nil {
		return err
	}
	g.file = f
	if err := v.surveySegment(g); err != nil {
		v.log.Warn("a segment is removed", "segment", filepath.Base(g.path), "error", err)
		g.close()
		return v.fs.Remove(g.path)
	}
	v.segments.add(g)
	return nil
}

// errEmpty is a segment without a record.
var errEmpty = errors.New("it is empty")

func (v *volume) surveySegment(g *segment) error {
	var b [prefixSize]byte
	if err := readFull(g.file, b[:], 0); err != nil {
		return err
	}
	if !isPrefix(b[:], v.seed, g.serial) {
		return errDamaged
	}
	sum, sealed := g.readSummary(v.seed)
	if !sealed {
		found, err := g.walk(v.seed)
		if err != nil {
			return err
		}
		if len(found.list) == 0 {
			return errEmpty
		}
		sum = found.summary
		v.sealFound(g, found)
	}
	size, err := g.file.Size()
	if err != nil {
		return err
	}
	g.bytes.Store(size)
	g.oldest.Store(sum.oldest)
	v.writer.number = max(v.writer.number, sum.number)
	raise(&v.newest, sum.newest)
	return nil
}

// sealFound writes the footer of a segment that was walked. Where that fails it is walked again next time.
func (v *volume) sealFound(g *segment, found scanned) {
	b := appendFooter(nil, v.seed, g.serial, found.list, found.summary)
	err := g.file.Truncate(found.end)
	if err == nil {
		_, err = g.file.WriteAt(b, found.end)
	}
	if err != nil {
		v.log.Warn("a segment isn't sealed", "segment", filepath.Base(g.path), "error", err)
		_ = g.file.Truncate(found.end)
	}
}

// fit removes the oldest segments of a disk that was larger.
func (v *volume) fit() error {
	for v.used()+v.segmentSize > v.size {
		all := v.segments.list()
		if len(all) == 0 {
			return errNoRoom
		}
		v.full.Store(true)
		v.drop(all[0])
	}
	return nil
}
