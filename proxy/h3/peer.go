package h3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// The types of unidirectional streams, RFC 9114, section 6.2, and RFC 9204, section 4.2.
const (
	streamControl = 0x0
	streamPush    = 0x1
	streamEncoder = 0x2
	streamDecoder = 0x3
)

const (
	// maxControl is the largest frame on the control stream, in octets; the largest known ones are lists of settings, and
	// priorities as text.
	maxControl = 16 << 10
	// controlBuffer is the size of its buffer, in octets.
	controlBuffer = 64
)

// breach is what a client must not do on a unidirectional stream: the connection ends for it.
type breach struct {
	code code
	what string
}

func (b *breach) Error() string { return b.what }

// peer are the unidirectional streams that a client has opened, of those of which it may have one.
type peer struct {
	mu   sync.Mutex // guards the following field
	seen [streamDecoder + 1]bool
}

// first tells whether a stream is the first of its type.
func (p *peer) first(kind uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen[kind]
	p.seen[kind] = true
	return !seen
}

// acceptUni reads what a client says on unidirectional streams, until the connection has ended.
func (c *Conn) acceptUni() {
	for {
		s, err := c.quic.AcceptUniStream(context.Background()) // ends with the connection
		if err != nil {
			return
		}
		s.ReleaseStreamCredit()
		c.work.Go(func() { c.readUni(s) })
	}
}

func (c *Conn) readUni(s *quic.ReceiveStream) {
	r := bufio.NewReaderSize(s, controlBuffer)
	kind, err := readVarint(r)
	if err != nil {
		return // it may end before its type, section 6.2
	}
	if kind > streamDecoder {
		s.CancelRead(quic.StreamErrorCode(codeStreamCreation))
		return
	}
	var b *breach
	if err := c.readKnown(r, kind); errors.As(err, &b) {
		c.abort(b.code, b.what)
	}
}

// readKnown reads a stream until its end, which is a breach: such streams last as long as the connection.
func (c *Conn) readKnown(r *bufio.Reader, kind uint64) error {
	if kind == streamPush || !c.peer.first(kind) {
		return &breach{codeStreamCreation, fmt.Sprintf("a stream of type %d too many", kind)}
	}
	var err error
	switch kind {
	case streamControl:
		err = c.readControl(r)
	case streamEncoder:
		err = readEncoder(r)
	default:
		err = readDecoder(r)
	}
	var reset *quic.StreamError
	if errors.Is(err, io.EOF) || errors.As(err, &reset) {
		return &breach{codeClosedCritical, fmt.Sprintf("the stream of type %d ended", kind)}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &breach{codeFrame, fmt.Sprintf("the stream of type %d ended in a frame", kind)}
	}
	return err
}

// readEncoder reads the instructions for a dynamic table that may have no octet: RFC 9204, section 4.3.
func readEncoder(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0x20 { // Set Dynamic Table Capacity to 0
			return &breach{codeEncoderStream, "an entry for a dynamic table, which this side hasn't"}
		}
	}
}

// readDecoder reads what a client tells of its dynamic table, to which this side adds nothing: RFC 9204, section 4.4.
func readDecoder(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b&0xc0 != 0x40 { // Stream Cancellation
			return &breach{codeDecoderStream, "the word of an entry that wasn't sent"}
		}
		for full := b&0x3f == 0x3f; full; full = b&0x80 != 0 {
			if b, err = r.ReadByte(); err != nil {
				return err
			}
		}
	}
}

// readControl reads the control stream, RFC 9114, section 6.2.1.
func (c *Conn) readControl(r *bufio.Reader) error {
	kind, length, err := readFrame(r)
	if err != nil {
		return err
	}
	if kind != frameSettings {
		return &breach{codeMissingSettings, "no SETTINGS first"}
	}
	if err := withPayload(r, length, readSettings); err != nil {
		return err
	}
	for {
		if kind, length, err = readFrame(r); err != nil {
			return err
		}
		if err := c.controlFrame(r, kind, length); err != nil {
			return err
		}
	}
}

func (c *Conn) controlFrame(r *bufio.Reader, kind, length uint64) error {
	switch {
	case kind == frameCancelPush || kind == framePushedPriority:
		return &breach{codeID, "a push that wasn't promised"}
	case kind == frameGoAway || kind == frameMaxPushID:
		return withPayload(r, length, readID)
	case kind == framePriority:
		return withPayload(r, length, c.readPriority)
	case kind == frameData || kind == frameHeaders || kind == frameSettings || kind == framePushPromise || isReserved(kind):
		return &breach{codeFrameUnexpected, fmt.Sprintf("a frame of type %#x on the control stream", kind)}
	}
	_, err := io.CopyN(io.Discard, r, int64(length)) // section 9: unknown ones are ignored
	return whole(err)
}

// withPayload has read look at a frame's payload.
func withPayload(r io.Reader, length uint64, read func([]byte) error) error {
	if length > maxControl {
		return &breach{codeExcessiveLoad, "a large frame on the control stream"}
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return whole(err)
	}
	return read(payload)
}

// whole is err where a frame isn't.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readID reads a frame that is one integer.
func readID(b []byte) error {
	if _, n, err := quicvarint.Parse(b); err != nil || n != len(b) {
		return &breach{codeFrame, "a frame that isn't one integer"}
	}
	return nil
}

// readSettings checks the settings: none of those that there are changes what this side sends.
func readSettings(b []byte) error {
	seen := map[uint64]bool{}
	for len(b) > 0 {
		id, n, err := quicvarint.Parse(b)
		if err != nil {
			return &breach{codeFrame, "a setting without its end"}
		}
		value, m, err := quicvarint.Parse(b[n:])
		if err != nil {
			return &breach{codeFrame, "a setting without its end"}
		}
		b = b[n+m:]
		switch {
		case seen[id]:
			return &breach{codeSettings, fmt.Sprintf("setting %#x twice", id)}
		case id >= 0x2 && id <= 0x5: // H2's
			return &breach{codeSettings, fmt.Sprintf("setting %#x, which is H2's", id)}
		case id == settingExtendedConnect && value > 1:
			return &breach{codeSettings, fmt.Sprintf("setting %#x is %d", id, value)}
		}
		seen[id] = true
	}
	return nil
}
