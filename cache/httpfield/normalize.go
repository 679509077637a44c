package httpfield

import (
	"slices"
	"strings"
)

// maxSorted bounds the elements that are put in order; a longer list is compared as it stands.
const maxSorted = 16

// AppendNormal appends one line of a request's field in a form that is the same for lines that mean the same,
// RFC 9111 §4.1. White space around elements never matters. For the Accept family, whose values are case-insensitive,
// letters become lower case and a weight of 1 is dropped; the elements of Accept and Accept-Encoding are put in order,
// since theirs has no meaning. name is in canonical form.
func AppendNormal(dst []byte, name, line string) []byte {
	switch name {
	case "Accept-Encoding", "Accept-Charset":
		return appendList(dst, line, true, true)
	case "Accept":
		// A parameter's quoted value may depend on case.
		return appendList(dst, line, strings.IndexByte(line, '"') < 0, true)
	case "Accept-Language":
		return appendList(dst, line, true, false)
	}
	return appendList(dst, line, false, false)
}

func appendList(dst []byte, line string, fold, sort bool) []byte {
	var buf [maxSorted]string
	elements := buf[:0]
	for element, rest := Next(line); element != ""; element, rest = Next(rest) {
		if len(elements) == maxSorted {
			return append(dst, TrimOWS(line)...)
		}
		elements = append(elements, element)
	}
	if sort {
		slices.SortFunc(elements, compareFold)
	}
	for i, element := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		if fold {
			dst = appendFolded(dst, element)
		} else {
			dst = append(dst, element...)
		}
	}
	return dst
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
	if i := slices.Index(dst[start:], ';'); i >= 0 && isWeightOne(dst[start+i:]) {
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

// compareFold orders by letters in lower case. It needn't be a proper collation, only the same for equal elements.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if d := int(lower(a[i])) - int(lower(b[i])); d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
