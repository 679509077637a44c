package cache

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// errTooLong is a content longer than its Content-Length.
var errTooLong = errors.New("fill: content is longer than announced")

// follow reads the content into the stream, and stores it when it is complete.
func (f *fill) follow(response *http.Response) {
	defer f.cancel()
	defer response.Body.Close()
	f.take(response.Body, response)
}

// reserveAtHand tells whether the whole content has come together with the header section, and there is room for it.
func (f *fill) reserveAtHand(response *http.Response) bool {
	n := f.stored.length
	if n < 0 || buffered(response.Body) < n || len(response.Trailer) > 0 || !f.c.fills.reserve(n) {
		return false
	}
	f.atHand = true
	return true
}

// buffered is how much of a content can be read at once; -1 where that isn't known.
func buffered(content io.Reader) int64 {
	if content == http.NoBody {
		return 0
	}
	if b, ok := content.(interface{ Buffered() int }); ok {
		return int64(b.Buffered())
	}
	return -1
}

// takeAtHand stores a content that has come. Nobody sees anything of it before.
func (f *fill) takeAtHand(response *http.Response) {
	defer f.answered.tell()
	defer f.cancel()
	defer response.Body.Close()
	n := f.stored.length
	defer f.c.fills.release(n)
	content := make([]byte, n)
	_, err := io.ReadFull(response.Body, content)
	if err == nil {
		err = expectEOF(response.Body)
	}
	if !errors.Is(err, io.EOF) {
		f.err = err
		return
	}
	f.stored.content = Pieces{content}
	f.enter(f.stored)
	f.c.figures.filled(n, time.Since(f.began))
}

// take reads the content of a response, or a slice of it, as follow does. The error says why it isn't complete.
func (f *fill) take(content io.Reader, response *http.Response) error {
	last, err := f.copy(content)
	size := f.flow().size + int64(last)
	if err == nil && f.stored.length >= 0 && size != f.stored.length {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		f.flow().trailer = newBlock(response.Trailer, func(name string) bool { return !isConnectionField(name) })
		f.commit(last)
		f.c.figures.filled(size, time.Since(f.began))
	} else {
		f.c.log.Debug("fill ended early", "site", f.site.name, "key", f.key, "bytes", size, "error", err)
	}
	f.flow().end(last, err)
	return err
}

// copy reads until the content's end, and lets go of it when it grows beyond what is stored. The last bytes that it
// read aren't in the stream yet, but behind it: the response is stored before any client can know that it is complete,
// so that the client's next request finds it.
func (f *fill) copy(content io.Reader) (last int, err error) {
	limit := f.c.options.Load().MaxObject
	for kept := true; ; {
		space, err := f.flow().space(f.request.Context())
		if err != nil {
			return 0, err
		}
		n, err := content.Read(space)
		if err == nil && f.flow().size+int64(n) == f.stored.length {
			err = expectEOF(content)
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if f.flow().wrote(n) > limit {
			f.flow().drop()
		}
		if kept && !f.flow().kept() {
			kept = false
			f.unstored(f.tooMuch(limit), time.Now())
			f.c.flights.unkept(f)
		}
	}
}

// tooMuch is why a content isn't kept any more.
func (f *fill) tooMuch(limit int64) Reason {
	if f.flow().size > limit {
		return ReasonTooLarge
	}
	return ReasonNoRoom
}

// expectEOF reads the end of a content of which all bytes that were announced have come.
func expectEOF(content io.Reader) error {
	var more [1]byte
	switch n, err := io.ReadFull(content, more[:]); {
	case n > 0:
		return errTooLong
	default:
		return err
	}
}

// commit stores the complete response, unless it was invalidated or there was no memory to keep it.
func (f *fill) commit(last int) {
	content := f.flow().content(last)
	if content == nil || f.slice != nil && !f.slice.reachable(f.c) {
		return
	}
	f.enter(f.stored.with(content, f.flow().trailer))
}

// enter stores a response, unless it was invalidated or purged since it was asked for.
func (f *fill) enter(s *Response) {
	hash, key := f.home()
	if !f.c.purges.alive(key, s) {
		f.unstored(ReasonPurged, time.Now())
		return
	}
	var cost int64
	f.c.flights.unlessDoomed(f, func() { cost = f.c.index.add(hash, key, s, header(f.client)) })
	if cost == 0 {
		f.unstored(ReasonPurged, time.Now())
		return
	}
	f.c.unstored.forget(f.hash)
	f.c.added(s, cost)
}

const (
	// nearlyDoneBytes and nearlyDoneShare tell when a fill is finished although nobody waits for it any more.
	nearlyDoneBytes = 1 << 20
	nearlyDoneShare = 0.5
)

// nearlyDone tells whether so little is missing that it would be a waste to abort.
func (f *fill) nearlyDone() bool {
	if !f.hasAnswered() || !f.shared || f.stored.length < 0 {
		return false
	}
	f.flow().mu.Lock()
	defer f.flow().mu.Unlock()
	missing := f.stored.length - f.flow().size
	return missing <= nearlyDoneBytes || float64(missing) <= nearlyDoneShare*float64(f.stored.length)
}
