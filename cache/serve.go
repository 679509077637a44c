package cache

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// serve answers with the stored response that was found.
func serve(x *exchange) step {
	s := x.found.Response
	if x.status.Fwd == "" {
		x.status.Hit = true
	}
	x.status.ttl, x.status.hasTTL = x.found.TTL, true
	x.status.Stale = x.found.State != Fresh
	return x.serveStored(s)
}

// serveUpdated answers with the stored response that the fill has brought: that a 304 made fresh again, or whose content came
// at once.
func serveUpdated(x *exchange) step {
	defer x.leave()
	s := x.fill.stored
	if x.fill.atHand {
		defer func() { x.fromStored = 0 }() // it came for this
	}
	if x.leads && x.fill.atHand {
		_ = x.answer(s, x.addOriginal, storedSource{s}) // what is in memory can't be lost
		return nil
	}
	return x.serveStored(s)
}

// serveStored answers with a stored response. One whose content is in the store may turn out to be lost.
func (x *exchange) serveStored(s *Response) step {
	if s.Sliced() {
		return x.answerSlices(s, s.fields.addTo)
	}
	d, ok := s.content.(*shelved)
	if !ok {
		_ = x.answer(s, s.fields.addTo, storedSource{s}) // what is in memory can't be lost
		return nil
	}
	before := maps.Clone(x.w.Header())
	err := x.serveShelved(s, d)
	if err != nil {
		return x.lost(s, before, err)
	}
	return nil
}

// serveStream answers with a content that is still coming.
func serveStream(x *exchange) step {
	defer x.leave()
	s := x.fill.stored
	add := s.fields.addTo
	if x.leads {
		add = x.addOriginal
	}
	if s.Sliced() {
		return x.answerSlices(s, add)
	}
	_ = x.answer(s, add, &streamSource{reader: x.reader, ctx: x.r.Context()}) // what is still coming is no stored content
	x.c.flights.keep(x.fill)                                                  // a client that needed only a part, or none, leaves it to be stored
	return nil
}

// addOriginal adds what the origin sent, for the client that asked first: also what isn't stored.
func (x *exchange) addOriginal(h http.Header) {
	copyFields(h, x.fill.header)
	if x.fill.stored.figures.encodable {
		varyByCoding(h)
	}
}

// serveResponse passes the response on that only this request may have.
func serveResponse(x *exchange) step {
	defer x.leave()
	x.forward(x.fill.response)
	return nil
}

// ErrOverloaded is the error for an ErrorWriter while fills are refused: nothing stored may answer, and the node has too
// much to do to ask.
var ErrOverloaded = errors.New("fill refused: the node is overloaded")

// staleUsable tells whether what was found may answer although the origin failed, and notes what lets it. The origin
// didn't answer when there is an error, except for an answer that made no sense.
func (x *exchange) staleUsable() bool {
	s := x.found.Response
	if s == nil {
		return false
	}
	disconnected := x.err != nil && !errors.Is(x.err, errUnasked) && !errors.Is(x.err, ErrOverloaded)
	x.status.detail = usableOnError(x.preset, &x.query, &s.figures, disconnected, time.Now())
	return x.status.detail != ""
}

// serveOnError answers with a stale response because the origin failed, RFC 5861 §4 and RFC 9111 §4.2.4.
func serveOnError(x *exchange) step {
	x.found = judge(x.preset, &x.query, x.found.Response, time.Now())
	return serve
}

// ErrMustRevalidate is in the error that an ErrorWriter gets when a response is stored that may not be used unless the
// origin confirms it, and the origin couldn't be asked. RFC 9111 §5.2.2.2 wants 504 for it, unless another status says
// more.
var ErrMustRevalidate = errors.New("validate the stored response")

// fail answers when the origin didn't: stale where that is allowed, else with an error.
func fail(x *exchange) step {
	if x.staleUsable() && x.r.Context().Err() == nil {
		return serveOnError
	}
	if s := x.found.Response; s != nil && s.figures.noStale {
		x.err = fmt.Errorf("%w: %w", ErrMustRevalidate, x.err)
	}
	x.status.addTo(x.w.Header(), x.c.name)
	x.fail(x.w, x.r, x.err)
	return nil
}
