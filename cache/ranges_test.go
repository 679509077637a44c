package cache_test

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

const digits = "0123456789abcdefghijklmnopqrstuvwxyz"

// TestParts: several ranges are answered as RFC 9110 §14.6 says, from a content in one piece and from one in slices.
func TestParts(t *testing.T) {
	for _, tt := range []struct {
		value string
		parts []string // "first-last content"
	}{
		{"bytes=0-0,2-3", []string{"0-0 0", "2-3 23"}},
		{"bytes=30-31,2-3,-1", []string{"30-31 uv", "2-3 23", "35-35 z"}},
		{"bytes=0-1,99-,5-9", []string{"0-1 01", "5-9 56789"}},
		{"bytes=0-9,11-19,30-", []string{"0-9 0123456789", "11-19 bcdefghij", "30-35 uvwxyz"}},
	} {
		for _, above := range []int64{100, 20} {
			h := handle(newCache(t, func(o *cache.Options) { o.Slices = cache.Slices{Above: above, Size: 7} }), file(digits))
			get(h, "http://example.com/")
			w := get(h, "http://example.com/", "Range: "+tt.value)
			if w.Code != 206 || hit(w.Header().Get("Cache-Status")) != "memory" {
				t.Errorf("%s: got %d, %v", tt.value, w.Code, w.Header())
			}
			if length := w.Header().Get("Content-Length"); length != strconv.Itoa(w.Body.Len()) {
				t.Errorf("%s: Content-Length %s of %d", tt.value, length, w.Body.Len())
			}
			if got := readParts(t, w); strings.Join(got, ";") != strings.Join(tt.parts, ";") {
				t.Errorf("%s: got %q", tt.value, got)
			}
		}
	}
}

// file is an origin of one file that may be sliced.
func file(content string) *film {
	o := newFilm(int64(len(content)))
	o.fields = append(o.fields, "Content-Type: text/plain")
	o.text = content
	return o
}

func readParts(t *testing.T, w *httptest.ResponseRecorder) (parts []string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" || w.Header().Get("Content-Range") != "" {
		t.Fatalf("got %v", w.Header())
	}
	for r := multipart.NewReader(w.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil || p.Header.Get("Content-Type") != "text/plain" {
			t.Fatalf("%v, %v", err, p.Header)
		}
		span := strings.TrimPrefix(p.Header.Get("Content-Range"), "bytes ")
		span, ok := strings.CutSuffix(span, fmt.Sprintf("/%d", len(digits)))
		if !ok {
			t.Fatalf("%v", p.Header)
		}
		parts = append(parts, span+" "+string(content))
	}
}

// TestRangesNotSent: what isn't served as ranges, RFC 9110 §14.2, is answered with the whole, or by 416.
func TestRangesNotSent(t *testing.T) {
	for _, above := range []int64{100, 20} {
		h := handle(newCache(t, func(o *cache.Options) { o.Slices = cache.Slices{Above: above, Size: 7} }), file(digits))
		get(h, "http://example.com/")
		for _, value := range []string{
			"bytes=0-9,5-14", "bytes=0-0," + strings.Repeat("1-1,", 16), "bytes=0-35,0-35", "bytes=9-5", "bytes=x", "chars=0-1", "bytes=0-1,x",
		} {
			if w := get(h, "http://example.com/", "Range: "+value); w.Code != 200 || w.Body.String() != digits || w.Header().Get("Content-Range") != "" {
				t.Errorf("%s: got %d %q, %v", value, w.Code, w.Body, w.Header())
			}
		}
		if w := get(h, "http://example.com/", "Range: bytes=0-1", "Range: bytes=2-3"); w.Code != 200 {
			t.Errorf("two lines: got %d", w.Code)
		}
		for _, value := range []string{"bytes=36-", "bytes=99-100", "bytes=-0", "bytes=36-,99-"} {
			w := get(h, "http://example.com/", "Range: "+value)
			if w.Code != 416 || w.Body.Len() > 0 || w.Header().Get("Content-Range") != "bytes */36" || w.Header().Get("Etag") != "" {
				t.Errorf("%s: got %d %q, %v", value, w.Code, w.Body, w.Header())
			}
		}
	}
}
