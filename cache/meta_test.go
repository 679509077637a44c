package cache

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// sampleResponse has something in every field that is kept.
func sampleResponse() *Response {
	s := &Response{
		status: 200, fields: "Cache-Control: max-age=60\r\nEtag: W/\"a\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
		trailer: "Digest: x\r\n", date: momentOf(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)),
		etag: httpfield.ETag{Opaque: `"a"`, Weak: true}, lastModified: momentOf(time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)),
		tags: []uint64{1, 1<<64 - 1},
		vary: []varyField{{"Accept", "text/html", "text/html ", true}, {"Accept-Language", "", "", false}},
		figures: figures{
			received: time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC), initialAge: 3, lifetime: 1 << 60,
			whileRevalidate: time.Minute, ifError: 292 * 365 * 24 * time.Hour, noCache: true, shared: true,
		},
	}
	s.soft.Store(true)
	return s
}

// sameMeta compares what is kept of responses.
func sameMeta(a, b *Response) bool {
	for _, s := range []*Response{a, b} {
		s.figures.received = s.figures.received.UTC()
	}
	return reflect.DeepEqual(a, b)
}

func TestMetaRoundTrip(t *testing.T) {
	noFlags, allFlags := sampleResponse(), sampleResponse()
	noFlags.soft.Store(false)
	noFlags.figures.noCache, noFlags.figures.shared = false, false
	allFlags.figures.noStale, allFlags.figures.immutable, allFlags.figures.limited = true, true, true
	least := &Response{status: 404, figures: figures{received: time.Unix(1, 2)}, date: momentOf(time.Unix(-1, 0))}
	head := sampleResponse()
	head.content = &sliced{generation: 1<<64 - 1, size: 10 << 30, slice: 1 << 20, validator: validator{etag: httpfield.ETag{Opaque: `"a"`}}}
	head.length = 10 << 30
	dated := sampleResponse()
	dated.content = &sliced{size: 1, slice: maxSlice, validator: validator{modified: "Sun, 06 Nov 1994 08:49:37 GMT"}}
	dated.length = 1
	for i, s := range []*Response{sampleResponse(), noFlags, allFlags, least, head, dated} {
		if got := parseMeta(appendMeta(nil, s)); got == nil || !sameMeta(got, s) {
			t.Errorf("%d: got %+v, want %+v", i, got, s)
		}
	}
}

// TestMetaKnowsAllFields reminds whoever adds a field: what is not in a record's meta part is lost with memory. Not in it
// are notes on a response that is in the index, what is read off the fields again, and what follows from the options:
// whether it may be encoded.
func TestMetaKnowsAllFields(t *testing.T) {
	for _, tt := range []struct {
		of    any
		known int
	}{{Response{}, 25}, {figures{}, 12}, {varyField{}, 4}} {
		if n := reflect.TypeOf(tt.of).NumField(); n != tt.known {
			t.Errorf("%T has %d fields: extend appendMeta and parseMeta, raise metaVersion, or say here that it isn't kept", tt.of, n)
		}
	}
}

func TestMetaTruncated(t *testing.T) {
	head := sampleResponse()
	head.content = &sliced{generation: 1, size: 3, slice: 2, validator: validator{modified: "x"}}
	for _, sample := range []*Response{sampleResponse(), head} {
		b := appendMeta(nil, sample)
		for n := range b {
			if s := parseMeta(b[:n]); s != nil {
				t.Errorf("%d of %d octets make %+v", n, len(b), s)
			}
		}
		if parseMeta(append(b, 0)) != nil {
			t.Error("something behind the end passes")
		}
	}
}

func TestMetaOfAnotherVersion(t *testing.T) {
	b := appendMeta(nil, sampleResponse())
	for version := range 256 {
		if b[0] = byte(version); version != metaVersion && parseMeta(b) != nil {
			t.Errorf("version %d passes", version)
		}
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(appendMeta(nil, sampleResponse()))
	f.Add(appendMeta(nil, &Response{status: 204}))
	f.Add(appendMeta(nil, &Response{status: 200, content: &sliced{size: 3, slice: 2, validator: validator{modified: "x"}}}))
	f.Add([]byte{metaVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := parseMeta(b)
		if s == nil {
			return
		}
		again := appendMeta(nil, s)
		if len(again) > len(b) {
			t.Errorf("%d octets became %d", len(b), len(again))
		}
		if got := parseMeta(again); got == nil || !sameMeta(got, s) {
			t.Errorf("got %+v, want %+v", got, s)
		}
		_ = s.fields.header()
	})
}

func TestVariantOf(t *testing.T) {
	a, b := sampleResponse(), sampleResponse()
	b.vary[0].first = "text/html"
	if variantOf(a) != variantOf(b) {
		t.Error("the line as it came makes another variant")
	}
	b.vary[1].present = true
	if variantOf(a) == variantOf(b) {
		t.Error("an empty field is the same as none")
	}
	if variantOf(&Response{}) != 0 {
		t.Error("without Vary there are variants")
	}
}

func TestIDsAreStable(t *testing.T) {
	if got := idOf([]byte("http://example.com/")); hex.EncodeToString(got[:]) != "2a1b402420ef46577471cdc7409b0fa2" {
		t.Errorf("got %x", got)
	}
	if got := hashTag("product-1"); got != 0xa05fa06bfa25780f {
		t.Errorf("got %#x", got)
	}
}
