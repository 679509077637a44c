package cache_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// film is an origin with one large content, which exists only as far as it is read: octet by octet a function of the
// version and the position. It understands ranges and conditions as RFC 9110 says, unless lie makes something else of
// its answer.
type film struct {
	size    int64
	version atomic.Uint64
	fields  []string // besides the entity tag
	text    string   // when set, the content
	lie     func(*http.Request, *http.Response) *http.Response

	requests atomic.Int64
	octets   atomic.Int64 // that were read of it
}

func newFilm(size int64) *film {
	return &film{size: size, fields: []string{"Cache-Control: max-age=60", "Accept-Ranges: bytes"}}
}

func (o *film) etag() string { return `"v` + strconv.FormatUint(o.version.Load(), 10) + `"` }

func (o *film) RoundTrip(r *http.Request) (*http.Response, error) {
	o.requests.Add(1)
	response := o.answer(r)
	if o.lie != nil {
		response = o.lie(r, response)
	}
	return response, nil
}

func (o *film) answer(r *http.Request) *http.Response {
	etag := o.etag()
	if r.Header.Get("If-None-Match") == etag {
		return o.respond(http.StatusNotModified, httpfield.Range{})
	}
	whole := httpfield.Range{Length: o.size}
	if since := r.Header.Get("If-Range"); since != "" && since != etag {
		return o.respond(http.StatusOK, whole)
	}
	ranges, result := httpfield.ParseRange(nil, r.Header.Get("Range"), o.size)
	switch {
	case result == httpfield.RangeUnsatisfiable:
		response := o.respond(http.StatusRequestedRangeNotSatisfiable, httpfield.Range{})
		response.Header.Set("Content-Range", fmt.Sprintf("bytes */%d", o.size))
		return response
	case result == httpfield.RangeSatisfiable && len(ranges) == 1:
		response := o.respond(http.StatusPartialContent, ranges[0])
		response.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", ranges[0].Start, ranges[0].Start+ranges[0].Length-1, o.size))
		return response
	}
	return o.respond(http.StatusOK, whole)
}

func (o *film) respond(status int, part httpfield.Range) *http.Response {
	content := io.Reader(o.reader(part))
	if o.text != "" {
		content = strings.NewReader(o.text[part.Start : part.Start+part.Length])
	}
	response := respond(content, part.Length, append(o.fields, "Etag: "+o.etag())...)
	response.StatusCode = status
	return response
}

// reader reads a part of the present version, and counts that.
func (o *film) reader(part httpfield.Range) *filmReader {
	return &filmReader{version: o.version.Load(), pos: part.Start, end: part.Start + part.Length, count: &o.octets}
}

type filmReader struct {
	version  uint64
	pos, end int64
	count    *atomic.Int64
}

func (r *filmReader) Close() error { return nil }

func (r *filmReader) Read(p []byte) (int, error) {
	if r.pos == r.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.end-r.pos)]
	expose(p, r.version, r.pos)
	r.pos += int64(len(p))
	r.count.Add(int64(len(p)))
	return len(p), nil
}

// expose fills p with what a version has from that position on.
func expose(p []byte, version uint64, pos int64) {
	var word [8]byte
	for n := 0; n < len(p); {
		at := uint64(pos)
		binary.LittleEndian.PutUint64(word[:], (at/8+version<<40+1)*0x9e3779b97f4a7c15)
		copied := copy(p[n:], word[at%8:])
		n, pos = n+copied, pos+int64(copied)
	}
}

// viewer is a client that holds every octet against what the film has there.
type viewer struct {
	header   http.Header
	status   int
	version  uint64
	pos      int64
	written  int64
	wrong    int64 // the first position where something else came, -1 for none
	expected []byte
	onWrite  func() // called before each
}

func (v *viewer) Header() http.Header { return v.header }

func (v *viewer) WriteHeader(status int) {
	v.status = status
	if part, ok := httpfield.ParseContentRange(v.header.Get("Content-Range")); ok {
		v.pos = part.Start
	}
}

func (v *viewer) Write(p []byte) (int, error) {
	if v.onWrite != nil {
		v.onWrite()
	}
	if len(v.expected) < len(p) {
		v.expected = make([]byte, len(p))
	}
	want := v.expected[:len(p)]
	expose(want, v.version, v.pos)
	if v.wrong < 0 && string(want) != string(p) {
		v.wrong = v.pos
	}
	v.pos += int64(len(p))
	v.written += int64(len(p))
	return len(p), nil
}

// watch sends a request for the film through a handler.
func watch(h http.Handler, version uint64, fields ...string) (v *viewer, aborted bool) {
	v = &viewer{header: make(http.Header), version: version, wrong: -1}
	r, _ := http.NewRequest(http.MethodGet, "http://example.com/film", nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return v, serveAborted(h, v, r)
}

// right tells what is wrong with an answer that should hold that many octets.
func (v *viewer) check(t *testing.T, status int, length int64, cacheStatus string) {
	t.Helper()
	if v.status != status || v.written != length || v.wrong >= 0 {
		t.Errorf("got %d with %d octets, wrong at %d; want %d with %d; %v", v.status, v.written, v.wrong, status, length, v.header)
	}
	if got := v.header.Get("Cache-Status"); got != "edge; "+cacheStatus {
		t.Errorf("got Cache-Status %q, want %q", got, cacheStatus)
	}
}
