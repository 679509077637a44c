package h1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// answer is a response with its content in one piece of memory.
type answer struct {
	http.Response
	body body
	room [answerRoom]string // of the fields' values, as many as there mostly are
}

const answerRoom = 10

// plain returns a response that has come with its whole header section, and whose framing nobody could read in two ways: one
// of HTTP/1.1 with a content of a length that is said once. nil: it is something else, which net/http reads and judges.
// Nothing is consumed then.
func (c *conn) plain(r *http.Request) *answer {
	if r.Method != http.MethodGet {
		return nil
	}
	if _, err := c.in.Peek(1); err != nil {
		return nil // net/http will meet it as well
	}
	came, _ := c.in.Peek(c.in.Buffered())
	end := bytes.Index(came, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	a := parse(string(came[:end]))
	if a != nil {
		_, _ = c.in.Discard(end + len("\r\n\r\n"))
		a.Request = r
	}
	return a
}

// parse reads a header section without its last two ends of lines; nil: it isn't plain.
func parse(head string) *answer {
	line, rest, _ := strings.Cut(head, "\r\n")
	status, ok := plainStatus(line)
	if !ok {
		return nil
	}
	a := &answer{Response: http.Response{
		Status: line[len(version):], StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1,
	}}
	n := strings.Count(rest, "\n") + 1
	a.Header = make(http.Header, n+fieldRoom)
	values := a.room[:0]
	if n > len(a.room) {
		values = make([]string, 0, n)
	}
	for more := rest != ""; more; {
		line, rest, more = strings.Cut(rest, "\r\n")
		name, value, ok := plainField(line)
		if !ok || !a.frame(name, value) {
			return nil
		}
		if lines := a.Header[name]; lines != nil {
			a.Header[name] = append(lines, value)
			continue
		}
		values = append(values, value)
		a.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if a.ContentLength < 0 {
		return nil
	}
	return a
}

// fieldRoom is for the fields that are added on a response's way to its client.
const fieldRoom = 1

const version = "HTTP/1.1 "

// plainStatus reads a status line: of a final response that may have content.
func plainStatus(line string) (status int, ok bool) {
	if len(line) < len("HTTP/1.1 200") || line[:len(version)] != version || !httpguts.ValidHeaderFieldValue(line) {
		return 0, false
	}
	digits, reason := line[len(version):len("HTTP/1.1 200")], line[len("HTTP/1.1 200"):]
	if reason != "" && reason[0] != ' ' {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		status = 10*status + int(digits[i]-'0')
	}
	return status, status >= 200 && status <= 599 && status != http.StatusNoContent && status != http.StatusNotModified
}

// plainField reads a field line.
func plainField(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return "", "", false
	}
	return textproto.CanonicalMIMEHeaderKey(name), textproto.TrimString(value), true
}

// maxDigits of a content's length can't overflow.
const maxDigits = 18

// frame takes what a field says about the response's framing; false: it isn't plain.
func (a *answer) frame(name, value string) bool {
	switch name {
	case "Transfer-Encoding", "Trailer", "Upgrade":
		return false
	case "Connection":
		return strings.EqualFold(value, "keep-alive")
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || len(value) > maxDigits || a.ContentLength >= 0 {
			return false
		}
		a.ContentLength = int64(n)
	}
	return true
}
