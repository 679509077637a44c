package frame

// maxContinuations bounds how many frames carry one header block: more are a flood.
const maxContinuations = 64

// Block is a header block that comes in HEADERS and CONTINUATION (RFC 9113, section 4.3). The zero value waits for HEADERS.
// It isn't safe for concurrent use.
type Block struct {
	head  Head // of its HEADERS; stream 0: none is coming
	text  []byte
	count int // of frames
}

// Admits checks that no other frame comes amid a block (RFC 9113, section 6.10). The error is an *Error.
func (b *Block) Admits(h Head) error {
	if b.head.Stream != 0 && (h.Kind != Continuation || h.Stream != b.head.Stream) {
		return &Error{ProtocolError, "a frame amid a header block"}
	}
	return nil
}

// Begin takes the payload of HEADERS. The block, with its five octets of priority before it where HEADERS has them, is text if
// whole; then text is a part of the payload. The error is an *Error.
func (b *Block) Begin(h Head, payload []byte, limit int64) (text []byte, whole bool, err error) {
	text, ok := Unpad(h, payload)
	if !ok {
		return nil, false, &Error{ProtocolError, "HEADERS with padding that is too long"}
	}
	if h.Has(HasPriority) && len(text) < 5 {
		return nil, false, &Error{FrameSizeError, "HEADERS without the priority that it should have"}
	}
	if h.Has(EndHeaders) {
		return text, true, nil
	}
	*b = Block{head: h, text: append([]byte(nil), text...)}
	return nil, false, b.check(limit)
}

// Continue takes the payload of CONTINUATION. If the block is whole by that, head is that of its HEADERS. A block is no larger
// than limit, in octets. The error is an *Error.
func (b *Block) Continue(h Head, payload []byte, limit int64) (head Head, text []byte, whole bool, err error) {
	if b.head.Stream == 0 {
		return Head{}, nil, false, &Error{ProtocolError, "CONTINUATION of nothing"}
	}
	b.text = append(b.text, payload...)
	b.count++
	if err := b.check(limit); err != nil || !h.Has(EndHeaders) {
		return Head{}, nil, false, err
	}
	head, text = b.head, b.text
	*b = Block{}
	return head, text, true, nil
}

// check holds a block to its limits.
func (b *Block) check(limit int64) error {
	if b.count > maxContinuations || int64(len(b.text)) > limit {
		return &Error{EnhanceYourCalm, "a header block that doesn't end"}
	}
	return nil
}
