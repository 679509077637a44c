package cache

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// target is what a response is asked for: by whom, and where it would be stored.
type target struct {
	site   *site
	hash   uint64
	key    string
	rawKey string      // the key of the request as it came, before No-Vary-Search; mostly the same
	client http.Header // the request's fields, for Vary
	query  request
	policy Policy
	coder  *coder
	born   uint64 // the purge sequence when it was asked for
}

// fill is one fetch from the origin on behalf of the cache. Its goroutine outlives the request that began it, the
// leader, as long as others, the followers, want what it brings.
//
//	begun ──▶ answered ──▶ over
//	  │          ├─ failed:  err is set
//	  │          ├─ updated: a 304 made the stored response fresh again; it is in stored, whole
//	  │          ├─ shared:  stored says what comes, stream brings it, or slices do
//	  │          └─ private: only the leader may have it; it takes response and reads it itself, so that the origin
//	  │                      is never faster than this one client
//	  └─ nobody wants it any more: aborted
type fill struct {
	target
	c       *Cache
	next    Origin
	request *http.Request // what is sent
	began   time.Time     // when it was sent
	stale   *Response     // what it validates, nil for none
	// variants may be what the request gets although it doesn't select them; confirmed is which of them, or stale, a 304
	// was about. The fill's goroutine alone uses both.
	variants  []*Response
	confirmed *Response
	// under is the key to store under, and its hash.
	under     string
	underHash uint64
	heir      bool // it took over from a leader that failed
	cancel    context.CancelFunc
	stream    *stream
	// asked is the slice that the request's Range names, empty for the whole content; got is what the origin sent of it.
	asked httpfield.Range
	got   httpfield.ContentRange
	slice *slice // what a fetch of one slice brings, else nil

	answered chan struct{} // closed when the following fields are set
	err      error
	status   int
	reason   Reason // why the response isn't stored
	stored   *Response
	header   http.Header    // as the origin sent it, for the leader
	shared   bool           // the content comes by stream
	response *http.Response // of a private answer, until the leader takes it

	// guarded by flights.mu
	interested int
	led        bool // the leader still waits
	background bool // wanted even if no request waits
	doomed     bool // invalidated: not stored, and not shared with requests that come later
	undecided  int  // those that joined and haven't held what it brings against the purges yet
	over       bool
}

// errUnasked is a 304 to a request that didn't ask for one.
var errUnasked = errors.New("fill: origin answered 304 to a request without preconditions")

// run fetches. It is the fill's goroutine.
func (f *fill) run() {
	defer f.c.flights.remove(f)
	defer f.recover()
	r, response, err := f.exchange()
	switch {
	case err != nil:
		f.cancel()
		f.err = err
		close(f.answered)
	case response.StatusCode == http.StatusNotModified:
		f.update(r, response)
	default:
		f.receive(r, response)
	}
}

// recover ends the fill when the origin's code has panicked: nobody else would, and the process would end for one
// request. net/http does the same where the origin is asked on the request's own goroutine.
func (f *fill) recover() {
	r := recover()
	if r == nil {
		return
	}
	if r != http.ErrAbortHandler { //nolint:errorlint // that very value, as net/http compares it
		f.c.log.Error("a fill panicked", "site", f.site.name, "key", f.key, "panic", r, "stack", string(debug.Stack()))
	}
	f.cancel()
	if f.hasAnswered() {
		f.stream.end(0, errPanicked)
		return
	}
	f.err = errPanicked
	close(f.answered)
}

// errPanicked is a fill whose goroutine panicked; the log tells more.
var errPanicked = errors.New("fill: it panicked")

// exchange asks the origin; once more without preconditions when it confirms another response than ours.
func (f *fill) exchange() (*received, *http.Response, error) {
	for asked := f.stale != nil || len(f.variants) > 0; ; asked = false {
		requested := time.Now()
		f.began = requested
		response, err := f.next.RoundTrip(f.request)
		if err != nil {
			return nil, nil, err
		}
		f.status = response.StatusCode
		r := newReceived(f.c.options.Load().Targeted, response.StatusCode, header(response.Header), requested, time.Now())
		if response.StatusCode != http.StatusNotModified || asked && f.confirm(r) {
			return r, response, nil
		}
		response.Body.Close()
		if !asked {
			return nil, nil, errUnasked
		}
		f.request = f.request.Clone(f.request.Context())
		f.request.Header = fillHeader(f.client, nil, nil)
		f.coder.ask(f.request.Header, f.client)
		f.askPart()
	}
}

// confirm notes which stored response a 304 is about; false when it is none that we asked about.
func (f *fill) confirm(r *received) bool {
	if f.stale == nil {
		f.confirmed = selectedBy(r, f.variants)
	} else if confirms(r, f.stale) {
		f.confirmed = f.stale
	}
	return f.confirmed != nil
}

// update makes the stored response fresh again, RFC 9111 §4.3.4.
func (f *fill) update(r *received, response *http.Response) {
	response.Body.Close()
	f.cancel()
	f.stored, f.reason = f.c.refresh(&f.target, f.confirmed, r, response.Header)
	f.c.figures.validated.Add(1)
	f.c.figures.fillTime.Observe(time.Since(f.began).Seconds())
	if f.reason != "" {
		f.unstored(f.reason)
	}
	f.mark()
	close(f.answered)
}

// receive decides what becomes of a response with content.
func (f *fill) receive(r *received, response *http.Response) {
	r = f.unwrap(r, response)
	f.reason = f.judge(r, response)
	if f.reason != "" {
		f.unstored(f.reason)
		f.mark()
		f.handOver(response)
		return
	}
	f.header = response.Header
	f.mark()
	switch {
	case f.stored.Sliced() && f.got.Size > 0:
		f.keepPart(response)
	case f.stored.Sliced():
		f.cut(response)
	default:
		close(f.answered)
		f.follow(response)
	}
}

// judge decides whether the response is to be stored, and prepares that.
func (f *fill) judge(r *received, response *http.Response) Reason {
	o := f.c.options.Load()
	r.assign(&f.policy)
	if reason := f.storable(o.Preset, r); reason != "" {
		return reason
	}
	size, v, reason := f.slicing(r, response)
	if reason != "" {
		return reason
	}
	if size == 0 && response.ContentLength > f.c.maxLength(f.key) {
		return ReasonTooLarge
	}
	h := response.Header
	if !r.dated {
		h["Date"] = []string{r.at.UTC().Format(http.TimeFormat)} // RFC 9110 §6.6.1
	}
	if size > 0 {
		h["Accept-Ranges"] = []string{"bytes"} // here, if not at the origin
	}
	fields := newBlock(h, storedFields(h, r.control.PrivateFields, r.control.NoCacheFields))
	s := newResponse(r, fields, header(f.client), f.policy)
	f.coder.codeVary(s.vary, header(f.client))
	s.born, s.length = f.born, response.ContentLength
	s.tags = f.site.with(responseTags(h, f.key))
	if !s.useful() {
		return ReasonUseless
	}
	f.place(r)
	if size > 0 && f.under != f.key {
		return ReasonVary // slices are asked for by the key that they belong to
	}
	if size > 0 {
		return f.storeHead(s, size, v)
	}
	f.c.figures.encoding.skipped(f.coder.enable(s))
	f.stream.trailerNames = trailerNames(response.Trailer)
	if s.length >= 0 && !f.stream.prepay(s.length) {
		if !f.c.flights.followed(f) {
			return ReasonNoRoom
		}
		f.stream.drop() // those who wait have it as it passes, rather than each ask the origin
	}
	f.stored, f.shared = s, true
	return ""
}

// unstored notes why the response wasn't stored.
func (f *fill) unstored(reason Reason) { f.c.unstored.add(f.hash, f.status, reason) }

// mark notes whether requests for this key should wait for each other.
func (f *fill) mark() {
	switch {
	case f.askedTooFar():
		// It says nothing about what others want.
	case f.asked.Length > 0 && f.status == http.StatusPartialContent && f.reason != "" && f.reason != ReasonNoRoom:
		f.c.marks.set(partMark(f.hash), time.Now().Add(markLong))
	case f.stored != nil && f.stored.shareable():
		f.c.marks.clear(f.hash)
	case f.stale != nil && isServerError(f.status):
		// It may be answered stale, which can be shared.
	default:
		if d := markFor(f.status, f.reason); d > 0 {
			f.c.marks.set(f.hash, time.Now().Add(d))
		}
	}
}

// handOver leaves the response to the leader, if it still waits.
func (f *fill) handOver(response *http.Response) {
	f.response = response
	close(f.answered)
	if f.c.flights.abandoned(f) {
		f.abort()
	}
}

func (f *fill) hasAnswered() bool {
	select {
	case <-f.answered:
		return true
	default:
		return false
	}
}

// abort ends a fill that nobody wants.
func (f *fill) abort() {
	f.cancel()
	if f.hasAnswered() && f.response != nil {
		f.response.Body.Close()
	}
}
