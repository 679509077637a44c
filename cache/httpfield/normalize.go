package httpfield

import (
	"bytes"
	"slices"
	"strings"
)

// maxSorted bounds the elements that are put in order; a longer list is compared as it stands.
const maxSorted = 16

// AppendNormal appends one line of a request's field in a form that is the same for lines that mean the same,
// RFC 9111 §4.1. White space around elements never matters. For the Accept family, whose values are case-insensitive,
// letters become lower case and a weight of 1 is dropped; the elements of Accept and Accept-Encoding are put in order,
// since theirs has no meaning. What holds quotes is left as it is, since its case and order may matter. name is in
// canonical form.
func AppendNormal(dst []byte, name, line string) []byte {
	if strings.IndexByte(line, '"') >= 0 {
		return appendList(dst, line, false, false)
	}
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Charset":
		return appendList(dst, line, true, true)
	case "Accept-Language":
		return appendList(dst, line, true, false)
	}
	return appendList(dst, line, false, false)
}

// span is where an element stands in a buffer. Offsets, unlike slices, let the buffer stay on the stack.
type span struct{ start, end int }

func appendList(dst []byte, line string, fold, sort bool) []byte {
	var text [256]byte
	var list [maxSorted]span
	buf, spans := text[:0], list[:0]
	for element, rest := Next(line); element != ""; element, rest = Next(rest) {
		if len(spans) == maxSorted {
			return append(dst, TrimOWS(line)...)
		}
		start := len(buf)
		if fold {
			buf = appendFolded(buf, element)
		} else {
			buf = append(buf, element...)
		}
		spans = append(spans, span{start, len(buf)})
	}
	if sort {
		sortSpans(buf, spans)
	}
	for i, s := range spans {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, buf[s.start:s.end]...)
	}
	return dst
}

// sortSpans orders few elements by their bytes.
func sortSpans(buf []byte, spans []span) {
	text := func(i int) []byte { return buf[spans[i].start:spans[i].end] }
	for i := 1; i < len(spans); i++ {
		for j := i; j > 0 && bytes.Compare(text(j), text(j-1)) < 0; j-- {
			spans[j], spans[j-1] = spans[j-1], spans[j]
		}
	}
}

// appendFolded appends an element in lower case, without white space, and without a weight of 1.
func appendFolded(dst []byte, element string) []byte {
	start := len(dst)
	for i := range len(element) {
		if c := element[i]; 'A' <= c && c <= 'Z' {
			dst = append(dst, c|0x20)
		} else if !isOWS(c) {
			dst = append(dst, c)
		}
	}
	if i := slices.Index(dst[start:], ';'); i > 0 && isWeightOne(dst[start+i:]) {
		return dst[:start+i]
	}
	return dst
}

// isWeightOne tells whether a parameter, with its semicolon, is q=1, q=1.0, q=1.00 or q=1.000.
func isWeightOne(parameter []byte) bool {
	if len(parameter) < 4 || len(parameter) > 8 || string(parameter[:4]) != ";q=1" {
		return false
	}
	for i, c := range parameter[4:] {
		if i == 0 && c != '.' || i > 0 && c != '0' {
			return false
		}
	}
	return true
}
