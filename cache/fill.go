package cache

import (
	"errors"
	"net/http"
	"runtime/debug"
	"sync/atomic"
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
	policy *Policy
	coder  *coder
	born   uint64 // the purge sequence when it was asked for
}

// fill is one fetch from the origin on behalf of the cache. The request that began it, the leader, carries it out until there
// is an answer, and goes on with that after its client has left as long as others, the followers, want what it brings. A
// content that is still coming then comes on a goroutine of its own.
//
//	begun ──▶ answered ──▶ over
//	  │          ├─ failed:  err is set
//	  │          ├─ whole:   it is in stored: a 304 made the stored response fresh again, or the content came at once
//	  │          ├─ shared:  stored says what comes, stream brings it, or slices do
//	  │          └─ private: only the leader may have it; it takes response and reads it itself, so that the origin
//	  │                      is never faster than this one client
//	  └─ nobody wants it any more: aborted
type fill struct {
	target
	c       *Cache
	next    Origin
	request *http.Request // what is sent
	sent    http.Request  // the same, mostly
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
	// ownFields tells that the fields of the request are its own, rather than its client's.
	ownFields bool
	own       life
	life      *life                  // its own, or that of the fill which it is a part of; nil: it needs none
	stream    atomic.Pointer[stream] // nil until somebody needs it, see flow
	// asked is the slice that the request's Range names, empty for the whole content; got is what the origin sent of it.
	asked httpfield.Range
	got   httpfield.ContentRange
	slice *slice // what a fetch of one slice brings, else nil

	answered event // the following fields are set
	err      error
	status   int
	reason   Reason // why the response isn't stored
	stored   *Response
	header   http.Header    // as the origin sent it, for the leader
	shared   bool           // the content comes by stream
	atHand   bool           // it had come with the header section; stored has it
	response *http.Response // of a private answer, until the leader takes it

	// guarded by flights.mu
	interested int
	offered    bool // others may join it
	led        bool // the leader still waits
	background bool // wanted even if no request waits
	doomed     bool // invalidated: not stored, and not shared with requests that come later
	undecided  int  // those that joined and haven't held what it brings against the purges yet
	over       bool
}

// errUnasked is a 304 to a request that didn't ask for one.
var errUnasked = errors.New("fill: origin answered 304 to a request without preconditions")

// run fetches for nobody in particular. It is the fill's goroutine.
func (f *fill) run() {
	defer f.c.flights.remove(f)
	if rest := f.begin(); rest != nil {
		f.takeRest(rest)
	}
}

// begin asks the origin and finds the answer; rest brings the content, where that hasn't come yet.
func (f *fill) begin() (rest func()) {
	defer f.recover()
	var r received
	response, err := f.exchange(&r)
	switch {
	case err != nil:
		f.cancel()
		f.err = err
		f.answered.tell()
	case response.StatusCode == http.StatusNotModified && f.confirmed != nil:
		f.update(&r, response)
	default:
		return f.receive(&r, response)
	}
	return nil
}

// finish brings the content that begin has left. It is the fill's goroutine.
func (f *fill) finish(rest func()) {
	defer f.c.work.leave()
	defer f.c.flights.remove(f)
	f.takeRest(rest)
}

func (f *fill) takeRest(rest func()) {
	defer f.recover()
	rest()
}

// flow is the stream by which the content comes. Its first reader is the leader's.
func (f *fill) flow() *stream {
	s := f.stream.Load()
	if s != nil {
		return s
	}
	s = newStream(&f.c.fills)
	if f.own.interim != nil { // a request leads it
		s.leader = s.attach()
	}
	if f.stream.CompareAndSwap(nil, s) {
		return s
	}
	return f.stream.Load()
}

// cancel ends what the fill asks for.
func (f *fill) cancel() {
	if f.life != nil {
		f.life.End()
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
		f.flow().end(0, errPanicked)
		return
	}
	f.err = errPanicked
	f.answered.tell()
}

// errPanicked is a fill whose goroutine panicked; the log tells more.
var errPanicked = errors.New("fill: it panicked")

// exchange asks the origin; once more without preconditions when it confirms another response than ours. A 304 that confirms
// none is for the leader alone, whose own preconditions the origin may have guessed.
func (f *fill) exchange(r *received) (*http.Response, error) {
	for asked := f.stale != nil || len(f.variants) > 0; ; asked = false {
		requested := time.Now()
		f.began = requested
		response, err := f.next.RoundTrip(f.request)
		if err != nil {
			return nil, err
		}
		f.status = response.StatusCode
		r.read(f.c.options.Load().Targeted, response.StatusCode, header(response.Header), requested, requested.Add(time.Since(requested)))
		switch {
		case response.StatusCode != http.StatusNotModified || asked && f.confirm(r):
			return response, nil
		case !asked && conditional(f.query.fields): // but the client did
			return response, nil
		}
		response.Body.Close()
		if !asked {
			return nil, errUnasked
		}
		f.request = f.request.WithContext(f.request.Context()) // the first may still be in use
		f.takeFields(nil, nil)
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
	r.readDate()
	f.stored, f.reason = f.c.refresh(&f.target, f.confirmed, r, response.Header)
	f.c.figures.validated.Add(1)
	f.c.figures.fillTime.Observe(time.Since(f.began).Seconds())
	if f.reason != "" {
		f.unstored(f.reason, r.at)
	}
	f.mark(r.at)
	f.answered.tell()
}

// receive decides what becomes of a response with content; rest brings that.
func (f *fill) receive(r *received, response *http.Response) (rest func()) {
	f.unwrap(r, response)
	f.reason = f.judge(r, response)
	if f.reason != "" {
		f.unstored(f.reason, r.at)
		f.mark(r.at)
		f.handOver(response)
		return nil
	}
	f.header = response.Header
	f.mark(r.at)
	switch {
	case f.atHand:
		f.takeAtHand(response)
		return nil
	case f.stored.Sliced() && f.got.Size > 0:
		return f.keepPart(response)
	case f.stored.Sliced():
		return f.cut(response)
	}
	f.answered.tell()
	return func() { f.follow(response) }
}

// judge decides whether the response is to be stored, and prepares that.
func (f *fill) judge(r *received, response *http.Response) Reason {
	o := f.c.options.Load()
	r.assign(f.policy)
	if reason := f.storable(o.Preset, r); reason != "" {
		return reason
	}
	r.readDate()
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
	s := newResponse(r, fields, header(f.client), *f.policy)
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
	if f.stored = s; f.reserveAtHand(response) {
		return ""
	}
	f.stored = nil
	f.flow().trailerNames = trailerNames(response.Trailer)
	if s.length >= 0 && !f.flow().prepay(s.length) {
		if !f.c.flights.followed(f) {
			return ReasonNoRoom
		}
		f.flow().drop() // those who wait have it as it passes, rather than each ask the origin
	}
	f.stored, f.shared = s, true
	return ""
}

// unstored notes why the response wasn't stored.
func (f *fill) unstored(reason Reason, now time.Time) {
	f.c.unstored.add(f.hash, f.status, reason, now)
}

// mark notes whether requests for this key should wait for each other.
func (f *fill) mark(now time.Time) {
	switch {
	case f.askedTooFar():
		// It says nothing about what others want.
	case f.asked.Length > 0 && f.status == http.StatusPartialContent && f.reason != "" && f.reason != ReasonNoRoom:
		f.markPart()
	case f.stored != nil && f.stored.shareable():
		f.c.marks.clear(f.hash)
	case f.stale != nil && isServerError(f.status):
		// It may be answered stale, which can be shared.
	default:
		if d := markFor(f.status, f.reason); d > 0 {
			f.c.marks.set(f.hash, now.Add(d))
		}
	}
}

// handOver leaves the response to the leader, if it still waits.
func (f *fill) handOver(response *http.Response) {
	f.response = response
	f.answered.tell()
	if f.c.flights.abandoned(f) {
		f.abort()
	}
}

func (f *fill) hasAnswered() bool { return f.answered.has() }

// isPrivate tells whether there is a response that only the leader may have.
func (f *fill) isPrivate() bool { return f.hasAnswered() && f.response != nil }

// leaderLeft is called when the leader's client has gone. What the leader is at work on is its own to close.
func (f *fill) leaderLeft() {
	if f.c.flights.leave(f, true) || f.isPrivate() {
		f.cancel()
	}
}

// abort ends a fill that nobody wants.
func (f *fill) abort() {
	f.cancel()
	if f.isPrivate() {
		f.response.Body.Close()
	}
}
