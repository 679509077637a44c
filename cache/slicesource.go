package cache

import (
	"errors"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// slicedSource is a content in slices: those that are stored, and those that come, one after the other. It opens each
// slice while the one before is written, so that the origin's latency is hidden, and holds no more than these two.
type slicedSource struct {
	x      *exchange
	head   *Response
	of     *sliced
	cutter *cutter // that it follows, nil for none
	ahead  *openSlice
}

func (x *exchange) openSlices(head *Response) *slicedSource {
	f := &slicedSource{x: x, head: head, of: head.slices()}
	if f.cutter = f.of.cutter.Load(); f.cutter != nil {
		f.cutter.enter()
	}
	return f
}

// close lets go of what isn't written any more.
func (f *slicedSource) close() {
	if f.ahead != nil {
		f.ahead.close()
	}
	if f.cutter != nil {
		f.cutter.leave()
	}
}

func (f *slicedSource) seeks() bool            { return true }
func (f *slicedSource) trailer() block         { return "" }
func (f *slicedSource) trailerNames() []string { return nil }

func (f *slicedSource) writeAll(x *exchange) error { return f.writeRange(x, 0, f.of.size) }

func (f *slicedSource) writeRange(x *exchange, start, length int64) error {
	for end := start + length; start < end; {
		index := start / f.of.slice
		span := f.of.span(index)
		n := min(span.Start+span.Length, end) - start
		if err := f.write(index, start-span.Start, n, start+n < end); err != nil {
			return err
		}
		start += n
	}
	return nil
}

// write writes a part of a slice. Where its stream breaks off, it is fetched once more: under the same validator the
// rest is the same.
func (f *slicedSource) write(index, start, length int64, more bool) error {
	s, err := f.ready(index)
	if err != nil {
		return err
	}
	if more {
		f.ahead = f.open(index+1, false)
	}
	n, err := s.write(f.x, start, length)
	s.close()
	if err == nil || f.x.r.Context().Err() != nil {
		return err
	}
	if s, err = f.readyAlone(index); err != nil {
		return err
	}
	defer s.close()
	_, err = s.write(f.x, start+n, length-n)
	return err
}

// stored tells whether all that ranges want is stored, in memory or, as far as that can be told without reading, in the
// store; disk is set when any of it is there.
func (f *slicedSource) stored(ranges []httpfield.Range) (all, disk bool) {
	for _, r := range ranges {
		for index := r.Start / f.of.slice; index <= (r.Start+r.Length-1)/f.of.slice; index++ {
			s := f.x.c.findSlice(f.of, f.x.key, index)
			if s == nil && !f.x.c.mayRecall(f.of, f.x.key, index) {
				return false, disk
			}
			disk = disk || s == nil || resident(s.content) == 0
		}
	}
	return true, disk
}

// ready returns a slice that can be written. When another request's fetch of it fails, or takes too long, it is fetched
// for this one alone.
func (f *slicedSource) ready(index int64) (*openSlice, error) {
	s := f.ahead
	f.ahead = nil
	if s != nil && s.index != index {
		s.close()
		s = nil
	}
	if s == nil {
		s = f.open(index, false)
	}
	err := s.ready(f.x)
	if err == nil {
		return s, nil
	}
	s.close()
	if s.leads || errors.Is(err, errChanged) || f.x.r.Context().Err() != nil {
		return nil, err
	}
	return f.readyAlone(index)
}

func (f *slicedSource) readyAlone(index int64) (*openSlice, error) {
	s := f.open(index, true)
	if err := s.ready(f.x); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open finds a slice among those that are stored or coming, or begins to fetch it; alone, it does the latter for this
// request only.
func (f *slicedSource) open(index int64, alone bool) *openSlice {
	s := &openSlice{index: index}
	if alone {
		return f.fetch(s, true)
	}
	if s.stored = f.x.c.useSlice(f.of, f.x.key, index); s.stored != nil {
		return s
	}
	if f.cutter != nil {
		if s.reader = f.cutter.join(index); s.reader != nil {
			return s
		}
		if s.stored = f.x.c.useSlice(f.of, f.x.key, index); s.stored != nil { // it came meanwhile
			return s
		}
	}
	if s.stored = f.x.recallSlice(f.of, index); s.stored != nil {
		return s
	}
	return f.fetch(s, f.x.options.CollapseWait <= 0)
}

func (f *slicedSource) fetch(s *openSlice, alone bool) *openSlice {
	x := f.x
	begin := func() *fill { return x.newSliceFill(f.head, s.index) }
	if alone {
		s.fill, s.leads = begin(), true
		x.c.flights.enter(s.fill)
	} else {
		key := f.of.appendKey(nil, x.key, s.index)
		fits := func(other *fill) bool { return !other.hasAnswered() || other.err == nil }
		unlessStored := func() *fill {
			if s.stored = x.c.useSlice(f.of, x.key, s.index); s.stored != nil {
				return nil
			}
			return begin()
		}
		s.fill, s.reader, s.leads = x.c.flights.join(string(key), fits, unlessStored)
		if s.fill != nil && !s.leads {
			x.c.flights.decided(s.fill) // the head decides
		}
	}
	if s.leads {
		s.reader = s.fill.flow().attach()
	}
	if s.leads && !x.c.work.start(s.fill.runSlice) {
		s.fill.err = errClosing
		s.fill.cancel()
		x.c.flights.remove(s.fill)
		s.fill.answered.tell()
	}
	return s
}
