package cache

import (
	"errors"
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// answerSlices answers with a content in slices, of which any may be missing. Where the first that is wanted can't be
// had, nothing has reached the client yet, and the request begins anew.
func (x *exchange) answerSlices(s *Response, add func(http.Header)) step {
	from := x.openSlices(s)
	defer from.close()
	if err := x.prepareSlices(s, from); err != nil {
		return x.withoutSlices(err)
	}
	_ = x.answer(s, add, from) // once its header section is written, it ends well or is aborted
	return nil
}

// errNotStored is a slice that a client wants only if it is stored.
var errNotStored = errors.New("fetch a slice: the client wants only what is stored")

// prepareSlices waits for the first slice that the answer needs.
func (x *exchange) prepareSlices(s *Response, from *slicedSource) error {
	ranges := x.wanted(s, from)
	all, disk := from.stored(ranges)
	x.status.Disk = x.status.Disk || disk
	if all {
		return nil
	}
	if x.status.Hit {
		x.status.Hit, x.status.Fwd = false, FwdPartial
	}
	switch control := &x.query.control; {
	case control.Is(httpfield.OnlyIfCached):
		return errNotStored
	case control.Is(httpfield.NoStore): // of the request: what is fetched for it isn't stored, RFC 9111 §5.2.1.5
		return errRefused
	}
	first, err := from.ready(ranges[0].Start / from.of.slice)
	if err != nil {
		return err
	}
	from.ahead = first
	if x.status.FwdStatus == 0 && first.fill != nil {
		x.status.FwdStatus, x.status.Collapsed, x.status.Stored = first.fill.status, !first.leads, true
	}
	return nil
}

// wanted is what an answer needs of the content: nothing for HEAD, 304 and 416.
func (x *exchange) wanted(s *Response, from *slicedSource) []httpfield.Range {
	now := time.Now()
	if x.r.Method == http.MethodHead || notModified(s, x.query.fields, now) {
		return nil
	}
	switch ranges, result := x.ranges(s, from, now); result {
	case httpfield.RangeSatisfiable:
		return ranges
	case httpfield.RangeUnsatisfiable:
		return nil
	}
	return []httpfield.Range{{Length: from.of.size}}
}

// withoutSlices decides what becomes of a request whose first slice couldn't be had.
func (x *exchange) withoutSlices(err error) step {
	x.status = cacheStatus{Outcome: Outcome{Fwd: x.status.Fwd}}
	x.tries++
	switch {
	case errors.Is(err, errNotStored):
		return notCached
	case errors.Is(err, errRefused) || x.tries > maxTries:
		return pass
	case errors.Is(err, errChanged):
		return lookup
	}
	x.found, x.err = Found{}, err // without the slice nothing is usable, stale or not
	return fail
}
