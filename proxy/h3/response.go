package h3

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/http/httpguts"
)

const (
	// held is how much of a content is held for its length to be known, in octets.
	held = 4 << 10
	// copied is the largest part of a content that is copied behind the head of its frame, in octets.
	copied = 32 << 10
)

// response is an http.ResponseWriter. http.ResponseController finds its deadlines and FlushError.
type response struct {
	stream   *quic.Stream
	header   http.Header
	isHead   bool
	status   int    // zero: WriteHeader wasn't called
	sent     bool   // the header section is
	declared int64  // by Content-Length; below 0: it doesn't say
	written  int64  // of the content
	content  []byte // held
	out      []byte
	trailers []string // announced
	err      error    // of writing: what comes behind would be taken for something else
}

func newResponse(s *quic.Stream, isHead bool) *response {
	return &response{stream: s, header: http.Header{}, isHead: isHead, declared: -1}
}

// Header fulfils http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader fulfils http.ResponseWriter. An informational one is sent at once.
func (w *response) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 200:
		_ = w.sendHeader(status) // what is wrong with the stream, the content will see
		return
	}
	w.status = status
	if _, ok := w.header["Date"]; !ok {
		w.header["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	}
	if n, err := strconv.ParseUint(w.header.Get("Content-Length"), 10, 63); err == nil {
		w.declared = int64(n)
	} else {
		delete(w.header, "Content-Length")
	}
}

// Write fulfils http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !hasContent(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.declared >= 0 && w.written > w.declared {
		return 0, http.ErrContentLength
	}
	if w.isHead {
		return len(p), nil
	}
	if !w.sent && len(w.content)+len(p) <= held {
		w.content = append(w.content, p...)
		return len(p), nil
	}
	if err := w.flush(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// hasContent tells whether an answer with status has content: RFC 9110, section 6.4.1.
func hasContent(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// FlushError sends what is held.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.flush(nil)
}

// Flush fulfils http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// SetReadDeadline is for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error { return w.stream.SetReadDeadline(t) }

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error { return w.stream.SetWriteDeadline(t) }

// flush sends the header section, what is held of the content, and p.
func (w *response) flush(p []byte) error {
	if w.err != nil {
		return w.err
	}
	w.out = w.out[:0]
	if !w.sent {
		w.sent = true
		w.sniff(w.content, p)
		w.out = w.appendHeader(w.out, w.status)
	}
	size := len(w.content) + len(p)
	if size > 0 {
		w.out = appendFrame(w.out, frameData, size)
		w.out = append(w.out, w.content...)
		w.content = nil
	}
	if len(p) <= copied {
		w.out, p = append(w.out, p...), nil
	}
	for _, b := range [][]byte{w.out, p} {
		if len(b) == 0 {
			continue
		}
		if _, w.err = w.stream.Write(b); w.err != nil {
			break
		}
	}
	return w.err
}

// sniff finds out the media type as net/http does.
func (w *response) sniff(first, more []byte) {
	_, has := w.header["Content-Type"]
	if has || w.header.Get("Content-Encoding") != "" || len(first)+len(more) == 0 || !hasContent(w.status) {
		return
	}
	if len(first) == 0 {
		first = more
	}
	w.header["Content-Type"] = []string{http.DetectContentType(first)}
}

func (w *response) sendHeader(status int) error {
	_, err := w.stream.Write(w.appendHeader(nil, status))
	return err
}

// appendHeader appends HEADERS.
func (w *response) appendHeader(dst []byte, status int) []byte {
	w.announce()
	dst, at := beginHeaders(dst)
	dst = appendStatus(dst, status)
	for name, values := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) || w.isTrailer(name) {
			continue
		}
		dst = appendField(dst, name, values)
	}
	return endHeaders(dst, at)
}

func appendField(dst []byte, name string, values []string) []byte {
	for _, v := range values {
		dst = appendValue(appendName(dst, name), v)
	}
	return dst
}

// announce notes the trailers that the field of this name speaks of.
func (w *response) announce() {
	for _, line := range w.header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(textproto.TrimString(name))
			if httpguts.ValidTrailerHeader(name) && !w.isTrailer(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

func (w *response) isTrailer(name string) bool {
	for _, t := range w.trailers {
		if t == name {
			return true
		}
	}
	return false
}

// finish sends what is held, and the trailer section.
func (w *response) finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.sent && w.declared < 0 && hasContent(w.status) {
		w.header["Content-Length"] = []string{strconv.FormatInt(w.written, 10)}
	}
	if !w.sent || len(w.content) > 0 {
		_ = w.flush(nil)
	}
	if w.err != nil {
		return w.err
	}
	if w.declared > w.written && !w.isHead && hasContent(w.status) {
		return http.ErrContentLength
	}
	return w.sendTrailers()
}

func (w *response) sendTrailers() error {
	dst, at := beginHeaders(nil)
	begin := len(dst)
	for _, name := range w.trailers {
		dst = appendField(dst, name, w.header[name])
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && httpguts.ValidTrailerHeader(name) {
			dst = appendField(dst, name, values)
		}
	}
	if len(dst) == begin {
		return nil
	}
	_, err := w.stream.Write(endHeaders(dst, at))
	return err
}
