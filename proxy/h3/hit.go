package h3

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/message"
)

const (
	// buffered is how much quic-go takes for one stream without making the writer wait, in octets: a packet's worth.
	buffered = 1400
	// queued is how much is copied at most so that it needn't wait either, in octets.
	queued = 16 << 10
	// part is how much of a large content a client must take in its time, in octets. More is written at once: behind the end of
	// what is written a packet isn't filled, and those that follow don't leave together with it.
	part = 64 << 10
)

// askable tells whether a request has come whole, the stream's end included, and is nothing but a header section, which is
// in c.section then.
func (c *Conn) askable(b []byte, end error) bool {
	if !errors.Is(end, io.EOF) || !c.shaken() {
		return false // early data is the handler's to judge
	}
	block := onlyHeaders(b)
	return block != nil && c.section.decode(block, c.config.Header) == nil
}

// answerNow answers the request in c.section if it is a plain hit. Otherwise it has done nothing.
func (c *Conn) answerNow(s *quic.Stream) bool {
	if c.config.Hits == nil {
		return false
	}
	x := c.config.Hits.Find(c.section.list, c.known(c.tls))
	if x == nil {
		return false
	}
	c.out = appendAnswer(c.out[:0], x)
	if !c.sendNow(s, x) {
		head := slices.Clone(c.out)
		c.enter(s)
		c.work.Go(func() {
			defer c.leave(s)
			c.sendHit(s, x, head)
		})
	}
	return true
}

// onlyHeaders returns the field section of what is one HEADERS frame and nothing else; nil if it isn't.
func onlyHeaders(b []byte) []byte {
	if len(b) < 2 || b[0] != frameHeaders {
		return nil
	}
	length, n, err := quicvarint.Parse(b[1:])
	if err != nil || uint64(len(b)-1-n) != length {
		return nil
	}
	return b[1+n:]
}

// sendNow sends the answer whose head is in c.out if nobody has to wait for that.
func (c *Conn) sendNow(s *quic.Stream, x *hitpath.Exchange) bool {
	content := x.Content()
	head := len(c.out)
	if int64(head)+content.Size() > queued {
		return false
	}
	for _, piece := range content {
		c.out = append(c.out, piece...)
	}
	var err error
	if len(c.out) <= buffered {
		_, err = s.Write(c.out)
	} else if err = s.TryWriteAll(c.out); errors.Is(err, quic.ErrWouldBlock) {
		c.out = c.out[:head]
		return false
	}
	if err == nil {
		x.Answer().Sent = content.Size()
	}
	finishHit(s, x, err)
	return true
}

// sendHit sends an answer from where it is stored. The client has a time for each part of it.
func (c *Conn) sendHit(s *quic.Stream, x *hitpath.Exchange, head []byte) {
	if value, ok := x.Request().Line("priority", 0); ok {
		s.SetPriority(message.Priority(value))
	}
	send := func(b []byte) (int, error) {
		_ = s.SetWriteDeadline(time.Now().Add(c.config.SendIdle))
		return s.Write(b)
	}
	_, err := send(head)
	for _, piece := range x.Content() {
		for len(piece) > 0 && err == nil {
			var n int
			n, err = send(piece)
			x.Answer().Sent += int64(n)
			piece = piece[n:]
			if n >= part && isDeadline(err) {
				err = nil // it moves
			}
		}
	}
	finishHit(s, x, err)
}

// finishHit ends a stream, and accounts for its answer.
func finishHit(s *quic.Stream, x *hitpath.Exchange, err error) {
	a := x.Answer()
	a.Whole, a.Stalled = err == nil, isDeadline(err)
	x.Account()
	if err != nil {
		s.CancelWrite(quic.StreamErrorCode(codeInternal)) // so that nobody takes the content for whole
		return
	}
	_ = s.Close() // fails where the client doesn't want it any more
}

// appendAnswer appends what goes before the content of a hit: HEADERS, and the head of DATA.
func appendAnswer(dst []byte, x *hitpath.Exchange) []byte {
	a := x.Answer()
	stored := a.Found.Answer
	dst, at := beginHeaders(dst)
	dst = appendStatus(dst, stored.Status())
	dst = appendLines(dst, stored.FieldBlock())
	dst = appendNumber(dst, "Age", int64(a.Found.Age/time.Second))
	dst = message.AppendString(appendName(dst, "Cache-Status"), a.Status)
	dst = appendNumber(dst, "Content-Length", stored.Length())
	dst = endHeaders(appendLines(appendLines(dst, a.Fields), x.More()), at)
	if n := x.Content().Size(); n > 0 {
		dst = appendFrame(dst, frameData, int(n))
	}
	return dst
}

// beginHeaders appends the head of HEADERS, whose length endHeaders fills in, and the prefix of its field section.
func beginHeaders(dst []byte) (b []byte, at int) {
	dst = append(dst, frameHeaders, 0, 0, 0, 0)
	return append(dst, sectionStart...), len(dst)
}

// endHeaders fills in the length of the frame whose payload begins at dst[at:].
func endHeaders(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at-4:], 0x8000_0000|uint32(len(dst)-at)) // four octets long, RFC 9000, section 16
	return dst
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
