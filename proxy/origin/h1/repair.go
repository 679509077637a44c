package h1

import (
	"bufio"
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// What http.ReadResponse makes of a header section isn't all that came: it takes Connection away where that says close, so
// that nobody learns which other fields end at this hop (RFC 9110 §7.6.1), and it makes Cache-Control of a Pragma without
// one, though that means nothing in a response (RFC 9111 §5.4).

// suspect returns the header section that comes when http.ReadResponse may change it, else nothing. Nothing is consumed.
func (c *conn) suspect() string {
	came := c.section()
	for rest := came; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return ""
		}
		if rest = rest[i+1:]; beginsWith(rest, "pragma:") || beginsWith(rest, "connection:") && saysClose(rest) {
			return string(came)
		}
	}
}

// beginsWith compares without regard to case.
func beginsWith(text []byte, word string) bool {
	return len(text) >= len(word) && strings.EqualFold(string(text[:len(word)]), word)
}

// saysClose looks for the word in what comes from Connection on, which may go on in the next line.
func saysClose(text []byte) bool {
	for i := range text {
		if text[i]|0x20 == 'c' && beginsWith(text[i:], "close") {
			return true
		}
	}
	return false
}

// section returns the header section that comes, or as much of it as fits into the buffer; nothing when it is none of H1.
func (c *conn) section() []byte {
	for n := len("HTTP/"); ; n = c.in.Buffered() + 1 {
		_, err := c.in.Peek(n) // an error is met again by whoever reads
		came, _ := c.in.Peek(c.in.Buffered())
		switch {
		case !bytes.HasPrefix(came, []byte("HTTP/")):
			return nil
		case bytes.Contains(came, []byte("\n\r\n")), bytes.Contains(came, []byte("\n\n")), err != nil:
			return came
		}
	}
}

// repair makes the fields of resp those that came in section.
func repair(resp *http.Response, section string) {
	if section == "" {
		return
	}
	r := textproto.NewReader(bufio.NewReader(strings.NewReader(section)))
	_, _ = r.ReadLine()
	came, err := r.ReadMIMEHeader()
	if err != nil { // it didn't fit
		return
	}
	if lines := came["Connection"]; len(lines) > 0 {
		resp.Header["Connection"] = lines
	}
	if len(came["Cache-Control"]) == 0 {
		delete(resp.Header, "Cache-Control")
	}
}
