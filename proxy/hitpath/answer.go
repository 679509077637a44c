package hitpath

import (
	"net/http"
	"strconv"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// Finder finds what answers a request; *proxy.Server fulfils it. Its methods may be called concurrently.
type Finder interface {
	// Find fills in a and returns true where r is answered by what is stored, whole and in memory. A call of a.Account's
	// Served must follow. With false nothing has happened, and r is net/http's. It keeps neither r nor a.
	Find(r *Request, a *Answer) bool
}

// Account is told of every answer when it is over.
type Account interface {
	// Served tells what became of an answer.
	Served(r *Request, a *Answer)
}

// Answer is the answer to one request.
type Answer struct {
	Found   cache.Found // what was found; Found.Answer is what is sent
	Status  []byte      // the value of Cache-Status; Find appends to what it holds
	Account Account
	Scratch []byte // for Find to work in
	Fields  string // further lines of the answer, each with its CRLF, in canonical form

	Sent    int64 // octets of the content that were sent
	Whole   bool  // it was sent to its end
	Stalled bool  // the client took nothing for too long
}

// appendHead appends the header section of the answer in H1's form; more are further field lines.
func (a *Answer) appendHead(b []byte, more string) []byte {
	s := a.Found.Answer
	b = appendStatusLine(b, s.Status())
	b = append(b, s.FieldBlock()...)
	b = append(b, "Age: "...)
	b = strconv.AppendInt(b, int64(a.Found.Age/time.Second), 10)
	b = append(b, "\r\nCache-Status: "...)
	b = append(b, a.Status...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, s.Length(), 10)
	b = append(b, "\r\n"...)
	b = append(b, a.Fields...)
	b = append(b, more...)
	return append(b, "\r\n"...)
}

func appendStatusLine(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	return append(b, "\r\n"...)
}
