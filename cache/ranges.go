package cache

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// ranges decides which parts of a content the client gets, RFC 9110 §14.2. Several parts of a content that is still
// coming, or one whose length isn't known, are answered with the whole.
func (x *exchange) ranges(s *Response, from source, now time.Time) ([]httpfield.Range, httpfield.RangeResult) {
	if x.r.Method != http.MethodGet || s.status != http.StatusOK || s.length < 0 || x.whole {
		return nil, httpfield.RangeIgnored
	}
	value, ok := singular(x.query.fields, "Range")
	if !ok || !rangeApplies(s, x.query.fields, now) {
		return nil, httpfield.RangeIgnored
	}
	ranges, result := httpfield.ParseRange(nil, value, s.length)
	if len(ranges) > 1 && (!from.seeks() || overlapping(ranges)) {
		return nil, httpfield.RangeIgnored
	}
	return ranges, result
}

// overlapping ranges cost more than they bring, RFC 9110 §14.2.
func overlapping(ranges []httpfield.Range) bool {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b httpfield.Range) int { return int(min(max(a.Start-b.Start, -1), 1)) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Start < sorted[i-1].Start+sorted[i-1].Length {
			return true
		}
	}
	return false
}

func (x *exchange) answerUnsatisfiable(h http.Header, size int64) {
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Etag", "Last-Modified"} {
		delete(h, name)
	}
	h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(size, 10)}
	x.w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
}

func (x *exchange) answerRanges(s *Response, ranges []httpfield.Range, from source) error {
	if len(ranges) > 1 {
		return x.answerParts(s, ranges, from)
	}
	h, r := x.w.Header(), ranges[0]
	h["Content-Range"] = []string{contentRange(r, s.length)}
	h["Content-Length"] = []string{strconv.FormatInt(r.Length, 10)}
	x.begin(s, http.StatusPartialContent)
	if err := from.writeRange(x, r.Start, r.Length); err != nil {
		return x.broken(err)
	}
	return nil
}

func contentRange(r httpfield.Range, size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", r.Start, r.Start+r.Length-1, size)
}

// answerParts answers with multipart/byteranges, RFC 9110 §14.6.
func (x *exchange) answerParts(s *Response, ranges []httpfield.Range, from source) error {
	if _, ok := s.content.(*shelved); ok { // no part's head goes out before its content is known to be there
		if _, err := s.content.WriteRange(io.Discard, ranges[0].Start, 1); err != nil {
			return err
		}
	}
	h := x.w.Header()
	boundary := rand.Text()
	heads, length := partHeads(boundary, h.Get("Content-Type"), ranges, s.length)
	end := "\r\n--" + boundary + "--\r\n"
	h["Content-Type"] = []string{"multipart/byteranges; boundary=" + boundary}
	h["Content-Length"] = []string{strconv.FormatInt(length+int64(len(end)), 10)}
	x.w.WriteHeader(http.StatusPartialContent)
	for i, r := range ranges {
		if _, err := x.w.Write([]byte(heads[i])); err != nil {
			x.abort()
		}
		if err := from.writeRange(x, r.Start, r.Length); err != nil {
			x.abort()
		}
	}
	if _, err := x.w.Write([]byte(end)); err != nil {
		x.abort()
	}
	return nil
}

// partHeads returns what stands before each part, and the length of heads and parts together.
func partHeads(boundary, contentType string, ranges []httpfield.Range, size int64) (heads []string, length int64) {
	for _, r := range ranges {
		var b strings.Builder
		b.WriteString("\r\n--" + boundary + "\r\n")
		if contentType != "" {
			b.WriteString("Content-Type: " + contentType + "\r\n")
		}
		b.WriteString("Content-Range: " + contentRange(r, size) + "\r\n\r\n")
		heads = append(heads, b.String())
		length += int64(b.Len()) + r.Length
	}
	return heads, length
}
