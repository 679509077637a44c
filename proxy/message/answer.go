package message

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"golang.org/x/net/http2/hpack"
)

// ReadResponse makes resp what a header section of HTTP/major.0 says. Its content, if it has any, is the caller's to set;
// ContentLength is what the field says, -1 without one. The error is what the RFCs call malformed: RFC 9113, section 8.3.2,
// RFC 9114, section 4.3.2.
func ReadResponse(resp *http.Response, major int, list []hpack.HeaderField) error {
	if len(list) == 0 || list[0].Name != ":status" {
		return errors.New("it begins with no :status")
	}
	status, err := readStatus(list[0].Value)
	if err != nil {
		return err
	}
	if resp.Header, err = readFields(list[1:]); err != nil {
		return err
	}
	resp.Status, resp.StatusCode = statusLine(status), status
	resp.Proto, resp.ProtoMajor, resp.ProtoMinor = version(major), major, 0
	if resp.ContentLength, err = contentLength(resp.Header); err != nil {
		return err
	}
	resp.Trailer = announced(resp.Header)
	return nil
}

// readStatus reads three digits.
func readStatus(text string) (status int, err error) {
	if len(text) == 3 {
		status, err = strconv.Atoi(text)
	}
	if err != nil || status < 100 || text[0] == '+' {
		return 0, fmt.Errorf(":status is %q", text)
	}
	return status, nil
}

// statusLine is a status as net/http has it.
func statusLine(status int) string {
	if status == http.StatusOK {
		return "200 OK"
	}
	return strconv.Itoa(status) + " " + http.StatusText(status)
}
