package hitpath

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/anyedge/anyedge/proxy/message"
)

// The fields that frame a message, or that this hop says itself.
const (
	lengthField     = "Content-Length"
	codingField     = "Transfer-Encoding"
	connectionField = "Connection"
	trailerField    = "Trailer"
	contentType     = "Content-Type"
)

// begin writes the status line, and those fields that don't depend on the content.
func (w *response) begin() {
	b := w.buffers
	w.announced()
	b.out = appendStatusLine(b.out, w.status)
	for _, name := range b.sortedNames() {
		lines := b.header[name]
		switch {
		case name == lengthField || name == codingField:
		case name == connectionField:
			w.connection = lines
		case name == contentType && w.status == http.StatusNotModified:
		case strings.HasPrefix(name, http.TrailerPrefix):
			w.trailed = true
		default:
			if name == trailerField {
				w.announceTrailers(lines)
			}
			b.out = appendField(b.out, name, lines)
		}
	}
	_, w.typed = b.header[contentType]
	w.typed = w.typed || b.header.Get("Content-Encoding") != ""
	if _, said := b.header["Date"]; !said {
		b.out = append(b.out, "Date: "...)
		b.out = time.Now().UTC().AppendFormat(b.out, http.TimeFormat)
		b.out = append(b.out, lineEnd...)
	}
	w.content = len(b.out)
}

// announced reads the handler's Content-Length. One that is none is dropped.
func (w *response) announced() {
	lines := w.buffers.header[lengthField]
	if len(lines) == 0 {
		return
	}
	if n, err := strconv.ParseInt(lines[0], 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

func (w *response) announceTrailers(lines []string) {
	w.trailed = true
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)); name != "" && httpguts.ValidTrailerHeader(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// finishHead writes the fields that depend on the content, of which there is what waits in out and then p; that is all of it
// where the handler is done.
func (w *response) finishHead(p []byte, done bool) {
	b := w.buffers
	content := b.out[w.content:]
	w.complete = true
	b.tail = b.tail[:0]
	if message.HasContent(w.status) {
		if done && w.length < 0 && !w.trailed && (!w.head || len(content) > 0) {
			w.length = int64(len(content))
		}
		w.guessType(content, p)
		switch {
		case w.length >= 0:
			b.tail = append(strconv.AppendInt(append(b.tail, "Content-Length: "...), w.length, 10), lineEnd...)
		case !w.head:
			w.chunked = true
			b.tail = append(b.tail, "Transfer-Encoding: chunked\r\n"...)
		}
	}
	w.addConnection()
	b.tail = append(b.tail, lineEnd...)
	switch {
	case w.head:
		b.out = b.out[:w.content]
	case w.chunked && len(content) > 0:
		b.tail = appendChunkSize(b.tail, len(content))
		b.out = append(b.out, lineEnd...)
	}
	b.out = slices.Insert(b.out, w.content, b.tail...)
}

// guessType does what net/http does for a content whose media type nobody has said.
func (w *response) guessType(content, p []byte) {
	if w.typed || len(content)+len(p) == 0 {
		return
	}
	const looked = 512 // of http.DetectContentType
	if len(content) > 0 && len(content) < looked {
		content = slices.Concat(content, p[:min(len(p), looked)])
	} else if len(content) == 0 {
		content = p
	}
	w.buffers.tail = appendField(w.buffers.tail, contentType, []string{http.DetectContentType(content)})
}

// addConnection says whether the connection ends with the answer.
func (w *response) addConnection() {
	for _, line := range w.connection {
		w.close = w.close || hasToken(line, "close")
	}
	if w.close = w.close || w.conn.leaving.Load(); w.close {
		w.connection = []string{"close"}
	}
	w.buffers.tail = appendField(w.buffers.tail, connectionField, w.connection)
}

// appendTrailers appends the trailer section: what was announced, and what is named by http.TrailerPrefix.
func (w *response) appendTrailers(b []byte) []byte {
	for _, name := range w.trailers {
		b = appendField(b, name, w.buffers.header[name])
	}
	for name, lines := range w.buffers.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			b = appendField(b, name, lines)
		}
	}
	return b
}

// sortedNames are the names of the fields.
func (b *buffers) sortedNames() []string {
	b.names = b.names[:0]
	for name := range b.header {
		b.names = append(b.names, name)
	}
	slices.Sort(b.names)
	return b.names
}

// appendField appends a field, one line for each of lines. What is no name is left out, and what would end a line is a space.
func appendField(b []byte, name string, lines []string) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return b
	}
	for _, line := range lines {
		b = append(append(b, name...), ": "...)
		line = textproto.TrimString(line)
		if !strings.ContainsAny(line, "\r\n") {
			b = append(b, line...)
		} else {
			b = append(b, noLineEnds.Replace(line)...)
		}
		b = append(b, lineEnd...)
	}
	return b
}

var noLineEnds = strings.NewReplacer("\r", " ", "\n", " ")
