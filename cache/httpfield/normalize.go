package httpfield

import (
	"bytes"
	"strings"
)

// maxSorted bounds the elements that are put in order; a longer list is compared as it stands.
const maxSorted = 16

// order is how the elements of a list may be put in order without changing what they mean.
type order uint8

const (
	orderKept   order = iota // as they came
	orderBytes               // theirs has no meaning
	orderWeight              // by falling weight; among equals many take it for a preference
)

// AppendNormal appends a request's field, its lines joined by commas, in a form that is the same for values that mean
// the same, RFC 9111 §4.1. White space around elements never matters. For the Accept family, whose values are
// case-insensitive, letters become lower case and weights their shortest form; the elements of Accept and
// Accept-Encoding are put in order, since theirs has no meaning, and those of Accept-Language by weight. What holds
// quotes is left as it is, since its case and order may matter. name is in canonical form.
func AppendNormal(dst []byte, name, value string) []byte {
	if strings.IndexByte(value, '"') >= 0 {
		return appendList(dst, value, false, orderKept)
	}
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Charset":
		return appendList(dst, value, true, orderBytes)
	case "Accept-Language":
		return appendList(dst, value, true, orderWeight)
	}
	return appendList(dst, value, false, orderKept)
}

// span is where an element stands in a buffer. Offsets, unlike slices, let the buffer stay on the stack.
type span struct {
	start, end int
	weight     int // in thousandths
}

func appendList(dst []byte, value string, fold bool, by order) []byte {
	var text [256]byte
	var list [maxSorted]span
	buf, spans := text[:0], list[:0]
	for element, rest := Next(value); element != ""; element, rest = Next(rest) {
		if len(spans) == maxSorted {
			return append(dst, TrimOWS(value)...)
		}
		s := span{start: len(buf)}
		if fold {
			buf, s.weight = appendFolded(buf, element)
		} else {
			buf = append(buf, element...)
		}
		s.end = len(buf)
		spans = append(spans, s)
	}
	sortSpans(buf, spans, by)
	for i, s := range spans {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, buf[s.start:s.end]...)
	}
	return dst
}

// sortSpans orders few elements; those that are equal keep their order.
func sortSpans(buf []byte, spans []span, by order) {
	for i := 1; i < len(spans); i++ {
		for j := i; j > 0 && before(buf, spans[j], spans[j-1], by); j-- {
			spans[j], spans[j-1] = spans[j-1], spans[j]
		}
	}
}

func before(buf []byte, a, b span, by order) bool {
	switch by {
	case orderBytes:
		return bytes.Compare(buf[a.start:a.end], buf[b.start:b.end]) < 0
	case orderWeight:
		return a.weight > b.weight
	}
	return false
}

// appendFolded appends an element in lower case, without white space, and with its weight, RFC 9110 §12.4.2, in its
// shortest form: none for 1. What isn't a weight counts as no weight, and stays as it is.
func appendFolded(dst []byte, element string) (folded []byte, weight int) {
	start := len(dst)
	for i := range len(element) {
		if c := element[i]; 'A' <= c && c <= 'Z' {
			dst = append(dst, c|0x20)
		} else if !isOWS(c) {
			dst = append(dst, c)
		}
	}
	i := bytes.LastIndex(dst[start:], []byte(";q="))
	if i <= 0 {
		return dst, 1000
	}
	weight, ok := parseWeight(dst[start+i+3:])
	if !ok {
		return dst, 1000
	}
	if weight == 1000 {
		return dst[:start+i], weight
	}
	return trimWeight(dst), weight
}

// parseWeight parses a qvalue into thousandths.
func parseWeight(s []byte) (thousandths int, ok bool) {
	if len(s) == 0 || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	thousandths = 1000 * int(s[0]-'0')
	for i, unit := 2, 100; i < len(s); i, unit = i+1, unit/10 {
		if !isDigit(s[i]) {
			return 0, false
		}
		thousandths += unit * int(s[i]-'0')
	}
	return thousandths, thousandths <= 1000
}

// trimWeight drops the zeros at the end of a weight below 1.
func trimWeight(b []byte) []byte {
	if bytes.IndexByte(b[max(len(b)-4, 0):], '.') < 0 {
		return b
	}
	b = bytes.TrimRight(b, "0")
	if b[len(b)-1] == '.' {
		return b[:len(b)-1]
	}
	return b
}
