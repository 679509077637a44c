package cache

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// postedMax is how much of a response to POST is kept until it is whole, in octets.
const postedMax = 256 << 10

// posted is the content of a response to POST on its way to the client. Whole, it is stored for GET.
type posted struct {
	io.ReadCloser
	f        *fill
	received *received
	response http.Response
	kept     []byte
}

// keepPosted lets the response to a POST be stored if it says that it is what GET would bring: its Content-Location is the
// target URI, and its lifetime explicit, RFC 9110 §9.3.3. What was stored has been invalidated before.
func (x *exchange) keepPosted(response *http.Response, requested time.Time) {
	if x.preset != Standard || x.policy.Off || x.r.Method != http.MethodPost || response.StatusCode != http.StatusOK || len(response.Trailer) > 0 {
		return
	}
	located := sameOriginKey(x.policy, targetURL(x.r), response.Header.Get("Content-Location"))
	if located == nil || string(located) != string(x.policy.appendRequestURI(nil, x.r)) {
		return
	}
	r := new(received)
	r.read(x.options.Targeted, response.StatusCode, header(response.Header), requested, time.Now())
	if !r.control.Is(httpfield.MaxAge|httpfield.SMaxAge) && (r.targeted || !has(r.fields, "Expires")) {
		return
	}
	x.key = x.policy.appendRequestKey(x.keyRoom[:0], x.r)
	x.hash = x.c.index.hash(x.key)
	x.query = parseRequest(x.options.honours(), header(x.r.Header))
	f := &fill{target: x.target(), c: x.c, next: x.next, began: requested}
	x.c.flights.enterBehind(f) // so that an invalidation meanwhile keeps it from being stored
	response.Body = &posted{ReadCloser: response.Body, f: f, received: r, response: *response}
}

// Read stores what came before it tells of the end.
func (p *posted) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if p.f == nil {
		return n, err
	}
	p.kept = append(p.kept, b[:n]...)
	switch {
	case errors.Is(err, io.EOF) && len(p.kept) <= postedMax:
		p.store()
	case err == nil && len(p.kept) <= postedMax:
		return n, err
	}
	p.forget()
	return n, err
}

// Close forgets what didn't come whole.
func (p *posted) Close() error {
	if p.f != nil {
		p.forget()
	}
	return p.ReadCloser.Close()
}

func (p *posted) forget() {
	p.f.c.flights.remove(p.f)
	p.f, p.kept = nil, nil
}

func (p *posted) store() {
	if p.f.c.sliceSize() > 0 && int64(len(p.kept)) > p.f.c.options.Load().Slices.Above {
		return // slices are had by GET alone
	}
	p.response.Body, p.response.ContentLength = atHand{bytes.NewReader(p.kept)}, int64(len(p.kept))
	if p.f.judge(p.received, &p.response) == "" && p.f.atHand {
		p.f.takeAtHand(&p.response)
	} else if p.f.shared {
		p.f.flow().drop()
	}
}

// atHand is a content that has come whole.
type atHand struct{ *bytes.Reader }

// Buffered is how much of it is left, in octets.
func (c atHand) Buffered() int { return c.Len() }

// Close does nothing.
func (c atHand) Close() error { return nil }

// targetURL is a request's target, for references to be resolved against.
func targetURL(r *http.Request) *url.URL {
	return &url.URL{Scheme: schemeOf(r), Host: authorityOf(r), Path: r.URL.Path, RawPath: r.URL.RawPath}
}
