package h3

import (
	"net/http"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/message"
)

// copied is the largest part of a content that is copied behind the head of its frame, in octets.
const copied = 32 << 10

// answer frames what a handler answers.
type answer struct {
	*quic.Stream
	out []byte
}

// Send fulfils message.Stream. The end is the caller's to send.
func (a *answer) Send(p *message.Part) error {
	a.out = a.out[:0]
	if p.Status != 0 {
		a.out = appendHeader(a.out, p)
	}
	if size := p.Size(); size > 0 {
		a.out = appendFrame(a.out, frameData, size)
	}
	a.out = append(a.out, p.Content[0]...)
	content := p.Content[1]
	if len(content) <= copied {
		a.out, content = append(a.out, content...), nil
	}
	for _, b := range [...][]byte{a.out, content, trailerSection(p.Trailers)} {
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
