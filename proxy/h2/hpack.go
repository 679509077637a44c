package h2

import (
	"net/http"
	"strconv"
	"time"

	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/message"
)

// What is sent uses no header table of the connection's, but literals without indexing (RFC 7541 §6.2.2), with names from the
// static table where that has them: so it can be written beforehand, and by many at a time.

const (
	// literalPlain are the first bits of a literal that no table takes up, RFC 7541 §6.2.2.
	literalPlain = 0x00
	// noTable says that the table of what is sent has no octet, RFC 7541 §6.3.
	noTable = 0x20
)

// appendName appends the beginning of a literal whose name is in canonical form.
func appendName(dst []byte, name string) []byte {
	if i := staticName(name); i > 0 {
		return message.AppendInteger(dst, literalPlain, 4, i)
	}
	dst = message.AppendInteger(append(dst, literalPlain), 0, 7, len(name))
	return message.AppendLower(dst, name)
}

// appendLines appends field lines of the form "Name: value\r\n", names in canonical form.
func appendLines(dst []byte, lines string) []byte {
	for lines != "" {
		var name, value string
		name, value, lines = hitpath.CutLine(lines)
		dst = message.AppendString(appendName(dst, name), value)
	}
	return dst
}

// appendNumber appends a field whose value is a number.
func appendNumber(dst []byte, name string, n int64) []byte {
	var digits [20]byte
	return message.AppendString(appendName(dst, name), strconv.AppendInt(digits[:0], n, 10))
}

func appendStatus(dst []byte, status int) []byte {
	switch status {
	case http.StatusOK:
		return append(dst, 0x80|8)
	case http.StatusNotFound:
		return append(dst, 0x80|13)
	}
	dst = message.AppendInteger(dst, literalPlain, 4, 8)
	return append(dst, 3, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10))
}

// appendAnswer appends the header section of a stored answer.
func appendAnswer(dst []byte, x *hitpath.Exchange) []byte {
	a := x.Answer()
	s := a.Found.Answer
	dst = appendStatus(dst, s.Status())
	dst = appendLines(dst, s.FieldBlock())
	dst = appendNumber(dst, "Age", int64(a.Found.Age/time.Second))
	dst = message.AppendString(appendName(dst, "Cache-Status"), a.Status)
	dst = appendNumber(dst, "Content-Length", s.Length())
	return appendLines(appendLines(dst, a.Fields), x.More())
}

// appendSection appends the header section of a part.
func appendSection(dst []byte, p *message.Part) []byte {
	dst = appendStatus(dst, p.Status)
	for name, values := range p.Header() {
		if !p.Omits(name) {
			dst = appendField(dst, name, values)
		}
	}
	return dst
}

// appendTrailers appends a trailer section.
func appendTrailers(dst []byte, trailers http.Header) []byte {
	for name, values := range trailers {
		dst = appendField(dst, name, values)
	}
	return dst
}

func appendField(dst []byte, name string, values []string) []byte {
	return message.AppendField(dst, name, values, appendName)
}

// staticName is the index of a name in canonical form in the static table, RFC 7541 Appendix A; 0: it isn't there. Of the
// names, those of responses.
func staticName(name string) int {
	switch name {
	case "Accept-Ranges":
		return 18
	case "Access-Control-Allow-Origin":
		return 20
	case "Age":
		return 21
	case "Cache-Control":
		return 24
	case "Content-Disposition":
		return 25
	case "Content-Encoding":
		return 26
	case "Content-Language":
		return 27
	case "Content-Length":
		return 28
	case "Content-Location":
		return 29
	case "Content-Type":
		return 31
	case "Date":
		return 33
	case "Etag":
		return 34
	case "Expires":
		return 36
	case "Last-Modified":
		return 44
	case "Link":
		return 45
	case "Location":
		return 46
	case "Server":
		return 54
	case "Set-Cookie":
		return 55
	case "Strict-Transport-Security":
		return 56
	case "Vary":
		return 59
	case "Via":
		return 60
	}
	return 0
}
