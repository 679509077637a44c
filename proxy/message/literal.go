package message

import "golang.org/x/net/http/httpguts"

// AppendInteger appends an integer with a prefix of so many bits, of which first has the rest of the octet: RFC 7541,
// section 5.1, which RFC 9204 has taken over.
func AppendInteger(dst []byte, first byte, bits uint, n int) []byte {
	limit := 1<<bits - 1
	if n < limit {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(limit))
	for n -= limit; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

// AppendString appends a string literal as it is: Huffman's code would save a fifth, and cost more than the rest.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	return append(AppendInteger(dst, 0, 7, len(s)), s...)
}

// AppendLower appends a field's name in lower case, as H2 and H3 have it.
func AppendLower(dst []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// AppendField appends the lines of a response's field, each behind its name as appendName writes it, without those that can't
// be: RFC 9113, section 8.2.1; RFC 9114, section 4.2.
func AppendField(dst []byte, name string, values []string, appendName func(dst []byte, name string) []byte) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return dst
	}
	for _, v := range values {
		if httpguts.ValidHeaderFieldValue(v) {
			dst = AppendString(appendName(dst, name), v)
		}
	}
	return dst
}
