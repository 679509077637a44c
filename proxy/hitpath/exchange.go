package hitpath

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/cache"
)

// Exchange is a plain request that came over H2 or H3, and its answer. They have their own packages, which read and write;
// what is plain, and what answers it, is decided here. It isn't safe for concurrent use.
type Exchange struct {
	server *Server
	exchange
}

// maxRoom is the room where flow control is another's.
const maxRoom = 1<<63 - 1

// Find returns what answers a request without content that came over H2 or H3, by its header section, and what is known of it
// besides: fields of before the handshake was complete aren't for it. With nil the request is another's. Account must follow.
func (s *Server) Find(list []hpack.HeaderField, known Request) *Exchange {
	x, ok := s.exchanges.Get().(*Exchange)
	if !ok {
		x = &Exchange{server: s}
		x.answer.Scratch = make([]byte, 0, scratch)
	}
	q := &x.request
	known.VIP, known.Room, known.Fields = s.VIP, maxRoom, q.Fields
	*q = known
	if !q.decode(list) || q.size() > s.Header || !s.Finder.Find(q, &x.answer) {
		x.release()
		return nil
	}
	return x
}

// Request is what was asked for.
func (x *Exchange) Request() *Request { return &x.request }

// Answer is what was found.
func (x *Exchange) Answer() *Answer { return &x.answer }

// Content is what is to be sent; it must not be changed.
func (x *Exchange) Content() cache.Pieces {
	if x.request.Method == http.MethodHead {
		return nil
	}
	return x.answer.Found.Answer.Content().(cache.Pieces) // as Find promises
}

// More are lines, each with its CRLF, that every answer has besides its own.
func (x *Exchange) More() string { return x.server.moreFields() }

// CutLine takes the first line off lines of the form "Name: value\r\n", of which there is one at least.
func CutLine(lines string) (name, value, rest string) {
	colon := strings.IndexByte(lines, ':')
	end := colon + strings.IndexByte(lines[colon:], '\r')
	return lines[:colon], lines[colon+len(": ") : end], lines[end+len(lineEnd):]
}

// Account tells what became of the answer, by its fields Sent, Whole and Stalled, and ends the use of x.
func (x *Exchange) Account() {
	x.answer.Account.Served(&x.request, &x.answer)
	x.release()
}

func (x *Exchange) release() {
	clear(x.request.Fields)
	x.request = Request{Fields: x.request.Fields[:0]}
	x.answer = Answer{Status: x.answer.Status[:0], Scratch: x.answer.Scratch}
	x.server.exchanges.Put(x)
}
