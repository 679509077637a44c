package h3

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/message"
)

var (
	// errQPACK ends a connection: no field section can be trusted any more.
	errQPACK = errors.New("a field section isn't QPACK without a dynamic table")
	// errTooLarge ends a request.
	errTooLarge = errors.New("a field section above the limit")
)

// section is a field section as it is decoded. One is used again and again; what it held is then void, but for strings.
type section struct {
	list  []hpack.HeaderField
	text  []byte // of the literals, which become one string
	spans []span
}

// span is where a field's literals are in text.
type span struct {
	named      bool // name is a literal, too
	start, end int
	value      int // where it begins
}

// decode decodes a field section (RFC 9204, section 4.5) of at most limit octets, as RFC 9114, section 4.2.2, counts them.
// The error wraps errQPACK or errTooLarge.
func (s *section) decode(b []byte, limit int64) error {
	clear(s.list)
	s.list, s.text, s.spans = s.list[:0], s.text[:0], s.spans[:0]
	b, err := sectionPrefix(b)
	for err == nil && len(b) > 0 {
		if b, err = s.line(b); err != nil {
			break
		}
		f, at := &s.list[len(s.list)-1], s.spans[len(s.spans)-1]
		if limit -= int64(len(f.Name)+len(f.Value)+at.end-at.start) + 32; limit < 0 {
			return errTooLarge
		}
	}
	s.resolve()
	return err
}

// sectionPrefix takes the prefix off, which must not refer to a dynamic table.
func sectionPrefix(b []byte) ([]byte, error) {
	required, b, err := prefixed(b, 8)
	if err != nil || required != 0 || len(b) == 0 || b[0]&0x80 != 0 { // a base below zero
		return nil, fmt.Errorf("%w: its prefix", errQPACK)
	}
	_, b, err = prefixed(b, 7)
	return b, err
}

// line decodes one field line.
func (s *section) line(b []byte) ([]byte, error) {
	const static, staticName, never, literalName = 0x40, 0x10, 0x20, 0x10
	first := b[0]
	f, at := hpack.HeaderField{}, span{start: len(s.text)}
	var (
		index int
		err   error
	)
	switch {
	case first&0x80 != 0:
		if index, b, err = prefixed(b, 6); err != nil || first&static == 0 || index >= len(staticTable) {
			return nil, fmt.Errorf("%w: an index that isn't in the static table", errQPACK)
		}
		f = staticTable[index]
		s.add(f, at)
		return b, nil
	case first&0x40 != 0:
		if index, b, err = prefixed(b, 4); err != nil || first&staticName == 0 || index >= len(staticTable) {
			return nil, fmt.Errorf("%w: a name that isn't in the static table", errQPACK)
		}
		f.Name, f.Sensitive = staticTable[index].Name, first&never != 0
	case first&0x20 != 0:
		at.named, f.Sensitive = true, first&literalName != 0
		if b, err = s.literal(b, 3); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: an index behind its base", errQPACK)
	}
	at.value = len(s.text)
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: no value", errQPACK)
	}
	if b, err = s.literal(b, 7); err != nil {
		return nil, err
	}
	s.add(f, at)
	return b, nil
}

func (s *section) add(f hpack.HeaderField, at span) {
	at.end = len(s.text)
	s.list, s.spans = append(s.list, f), append(s.spans, at)
}

// literal decodes a string whose length has a prefix of so many bits, and the bit before says whether it is Huffman's.
func (s *section) literal(b []byte, bits uint) ([]byte, error) {
	huffman := b[0]&(1<<bits) != 0
	n, b, err := prefixed(b, bits)
	if err != nil || n > len(b) {
		return nil, fmt.Errorf("%w: a string without its end", errQPACK)
	}
	if !huffman {
		s.text = append(s.text, b[:n]...)
		return b[n:], nil
	}
	start := len(s.text)
	text, common := appendHuffman(s.text, b[:n])
	if s.text = text; common {
		return b[n:], nil
	}
	s.text = s.text[:start]
	if _, err := hpack.HuffmanDecode(s, b[:n]); err != nil {
		return nil, fmt.Errorf("%w: %w", errQPACK, err)
	}
	return b[n:], nil
}

// Write appends what the Huffman code stands for.
func (s *section) Write(b []byte) (int, error) {
	s.text = append(s.text, b...)
	return len(b), nil
}

// resolve turns the literals into strings.
func (s *section) resolve() {
	if len(s.text) == 0 {
		return
	}
	text := string(s.text)
	for i, at := range s.spans {
		if at.named {
			s.list[i].Name = text[at.start:at.value]
		}
		if at.end > at.start {
			s.list[i].Value = text[at.value:at.end]
		}
	}
}

// prefixed decodes an integer with a prefix of so many bits, RFC 7541, section 5.1.
func prefixed(b []byte, bits uint) (int, []byte, error) {
	if len(b) == 0 {
		return 0, nil, errQPACK
	}
	limit := 1<<bits - 1
	n := int(b[0]) & limit
	b = b[1:]
	if n < limit {
		return n, b, nil
	}
	for shift := uint(0); shift < 28 && len(b) > 0; shift += 7 {
		c := b[0]
		b = b[1:]
		n += int(c&0x7f) << shift
		if c&0x80 == 0 {
			return n, b, nil
		}
	}
	return 0, nil, fmt.Errorf("%w: an integer without its end", errQPACK)
}

// sectionStart is the prefix of a field section that refers to no dynamic table.
const sectionStart = "\x00\x00"

// appendStatus appends :status.
func appendStatus(dst []byte, status int) []byte {
	if i := staticStatus(status); i > 0 {
		return message.AppendInteger(dst, 0x80|0x40, 6, i)
	}
	dst = message.AppendInteger(dst, 0x40|0x10, 4, staticStatus(200))
	return append(dst, 3, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10))
}

// appendName begins a field line with a literal value; the name is made lower case.
func appendName(dst []byte, name string) []byte {
	if i := staticName(name); i >= 0 {
		return message.AppendInteger(dst, 0x40|0x10, 4, i)
	}
	return message.AppendLower(message.AppendInteger(dst, 0x20, 3, len(name)), name)
}
