package h3

import (
	"net/http"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/message"
)

// copied is the largest part of a content that is copied behind the head of its frame, in octets.
const copied = 32 << 10

// answer frames what a handler answers. Its end is held, so that it leaves together with others.
type answer struct {
	*quic.Stream
	rest *[]byte // framed, and not sent yet
}

func newAnswer(s *quic.Stream) answer { return answer{s, rests.Get().(*[]byte)} }

// release gives the buffer back.
func (a *answer) release() {
	if cap(*a.rest) <= keptOut {
		*a.rest = (*a.rest)[:0]
		rests.Put(a.rest)
	}
	a.rest = nil
}

// Send fulfils message.Stream. The end is the caller's to send, and what is in rest before.
func (a *answer) Send(p *message.Part) error {
	out := *a.rest
	if p.Status != 0 {
		out = appendHeader(out, p)
	}
	if size := p.Size(); size > 0 {
		out = appendFrame(out, frameData, size)
	}
	out = append(out, p.Content[0]...)
	content := p.Content[1]
	if len(content) <= copied {
		out, content = append(out, content...), nil
	}
	trailers := trailerSection(p.Trailers)
	if p.End && content == nil && len(out)+len(trailers) <= queued {
		*a.rest = append(out, trailers...)
		return nil
	}
	*a.rest = out[:0]
	for _, b := range [...][]byte{out, content, trailers} {
		if len(b) == 0 {
			continue
		}
		if _, err := a.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// appendHeader appends HEADERS.
func appendHeader(dst []byte, p *message.Part) []byte {
	dst, at := beginHeaders(dst)
	dst = appendStatus(dst, p.Status)
	for name, values := range p.Header() {
		if !p.Omits(name) {
			dst = appendField(dst, name, values)
		}
	}
	return endHeaders(dst, at)
}

func appendField(dst []byte, name string, values []string) []byte {
	return message.AppendField(dst, name, values, appendName)
}

// trailerSection is HEADERS with a trailer section; nil for none.
func trailerSection(trailers http.Header) []byte {
	if len(trailers) == 0 {
		return nil
	}
	dst, at := beginHeaders(nil)
	for name, values := range trailers {
		dst = appendField(dst, name, values)
	}
	return endHeaders(dst, at)
}
