package httpfield

import "strings"

// Range is a part of a content: the bytes from Start on, Length of them.
type Range struct {
	Start, Length int64
}

// RangeResult is what a Range field asks of a content.
type RangeResult uint8

// The results.
const (
	RangeIgnored       RangeResult = iota // malformed, another unit, or too many: answer with the whole
	RangeSatisfiable                      // answer with the ranges
	RangeUnsatisfiable                    // none overlaps the content: 416
)

// MaxRanges is how many ranges one request may ask for. More look like an attack, RFC 9110 §17.15.
const MaxRanges = 16

// ParseRange resolves a Range field, RFC 9110 §14.2, against a content of size bytes and appends the satisfiable ranges
// to dst, in their order. Ranges that ask for more than the content together are ignored, RFC 9110 §14.2.
func ParseRange(dst []Range, value string, size int64) ([]Range, RangeResult) {
	unit, set, ok := strings.Cut(value, "=")
	if !ok || !strings.EqualFold(TrimOWS(unit), "bytes") {
		return dst, RangeIgnored
	}
	given, first, total := 0, len(dst), int64(0)
	for spec, rest := Next(set); spec != ""; spec, rest = Next(rest) {
		r, ok := resolveRange(spec, size)
		if given++; !ok || given > MaxRanges {
			return dst[:first], RangeIgnored
		}
		if r.Length > 0 {
			dst = append(dst, r)
			total += r.Length
		}
	}
	return judgeRanges(dst, first, given, total, size)
}

// FirstPosition is the first position that a Range field asks for, as far as that is known without the content's size: 0
// where it asks for a suffix. ok is false for what is malformed, or in another unit.
func FirstPosition(value string) (first int64, ok bool) {
	unit, set, ok := strings.Cut(value, "=")
	if !ok || !strings.EqualFold(TrimOWS(unit), "bytes") {
		return 0, false
	}
	first = -1
	for spec, rest := Next(set); spec != ""; spec, rest = Next(rest) {
		if _, ok := resolveRange(spec, maxPosition); !ok {
			return 0, false
		}
		from, _, _ := strings.Cut(spec, "-")
		start, _ := parsePosition(from)
		if first < 0 || start < first {
			first = start
		}
	}
	return max(first, 0), first >= 0
}

func judgeRanges(dst []Range, first, given int, total, size int64) ([]Range, RangeResult) {
	switch {
	case given == 0:
		return dst, RangeIgnored
	case len(dst) == first:
		return dst, RangeUnsatisfiable
	case len(dst)-first > 1 && total > size:
		return dst[:first], RangeIgnored
	}
	return dst, RangeSatisfiable
}

// resolveRange resolves one range; its length is 0 when it is unsatisfiable, ok false when it is malformed.
func resolveRange(spec string, size int64) (r Range, ok bool) {
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return Range{}, false
	}
	if from == "" {
		n, ok := parsePosition(to)
		n = min(n, size)
		return Range{Start: size - n, Length: n}, ok
	}
	start, ok := parsePosition(from)
	end := int64(maxPosition)
	if ok && to != "" {
		end, ok = parsePosition(to)
	}
	if !ok || end < start {
		return Range{}, false
	}
	if start >= size {
		return Range{}, true
	}
	return Range{Start: start, Length: min(end, size-1) - start + 1}, true
}

// maxPosition is the largest position; greater ones are clamped, since no content is that long.
const maxPosition = 1 << 62

func parsePosition(s string) (int64, bool) {
	n := int64(0)
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		if n = 10*n + int64(s[i]-'0'); n > maxPosition/16 {
			n = maxPosition / 16
		}
	}
	return n, s != ""
}

// ContentRange is what a Content-Range field says, RFC 9110 §14.4. Size is -1 when it is unknown; an unsatisfied range
// has Length 0.
type ContentRange struct {
	Range
	Size int64
}

// ParseContentRange parses a Content-Range field in bytes.
func ParseContentRange(value string) (ContentRange, bool) {
	unit, rest, ok := strings.Cut(value, " ")
	span, size, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || !strings.EqualFold(unit, "bytes") {
		return ContentRange{}, false
	}
	c := ContentRange{Size: -1}
	if size != "*" {
		if c.Size, ok = parsePosition(size); !ok {
			return ContentRange{}, false
		}
	}
	if span == "*" {
		return c, c.Size >= 0
	}
	return c, c.parseSpan(span)
}

func (c *ContentRange) parseSpan(span string) bool {
	from, to, _ := strings.Cut(span, "-")
	start, ok := parsePosition(from)
	end, ok2 := parsePosition(to)
	c.Range = Range{Start: start, Length: end - start + 1}
	return ok && ok2 && end >= start && (c.Size < 0 || end < c.Size)
}
