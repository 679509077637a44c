package httpfield

import "strings"

// Next splits off the first element of a comma-separated list, RFC 9110 §5.6.1. Commas inside quoted strings don't
// separate, unless the quotes never close: what hides behind those, a no-store perhaps, must be seen. Optional white
// space around the element is dropped, empty elements are skipped. The list is at its end when element is empty.
func Next(list string) (element, rest string) {
	for list != "" {
		end := elementEnd(list)
		element = TrimOWS(list[:end])
		list = list[min(end+1, len(list)):]
		if element != "" {
			return element, list
		}
	}
	return "", ""
}

// elementEnd is the index of the first comma outside a quoted string, or the list's length.
func elementEnd(list string) int {
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '"':
			i += quotedEnd(list[i:])
		case ',':
			return i
		}
	}
	return len(list)
}

// quotedEnd is the index of the quote that closes the string that s begins with, 0 when none does.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return 0
}

// TrimOWS drops optional white space, which is space and tab, at both ends.
func TrimOWS(s string) string {
	for s != "" && isOWS(s[0]) {
		s = s[1:]
	}
	for s != "" && isOWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

// IsToken tells whether s is a token, RFC 9110 §5.6.2.
func IsToken(s string) bool {
	for i := range len(s) {
		if !isTchar(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTchar(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Unquote returns the content of a quoted string, RFC 9110 §5.6.4, with its escapes resolved. ok is false when s isn't
// exactly one quoted string.
func Unquote(s string) (content string, ok bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	inner := s[1 : len(s)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, strings.IndexByte(inner, '"') < 0
	}
	return unescape(inner)
}

func unescape(inner string) (string, bool) {
	b := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] == '"' {
			return "", false
		}
		if inner[i] == '\\' {
			if i++; i == len(inner) {
				return "", false
			}
		}
		b = append(b, inner[i])
	}
	return string(b), true
}
