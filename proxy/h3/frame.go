package h3

import (
	"errors"
	"io"
	"os"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// code is an error code, RFC 9114, section 8.1, and RFC 9204, section 6.
type code uint64

const (
	codeNone            code = 0x100
	codeInternal        code = 0x102
	codeStreamCreation  code = 0x103
	codeClosedCritical  code = 0x104
	codeFrameUnexpected code = 0x105
	codeFrame           code = 0x106
	codeExcessiveLoad   code = 0x107
	codeID              code = 0x108
	codeSettings        code = 0x109
	codeMissingSettings code = 0x10a
	codeRejected        code = 0x10b
	codeCancelled       code = 0x10c
	codeIncomplete      code = 0x10d
	codeMessage         code = 0x10e
	codeDecompression   code = 0x200
	codeEncoderStream   code = 0x201
	codeDecoderStream   code = 0x202
)

// The types of frames, RFC 9114, section 7.2, and RFC 9218, section 7.2.
const (
	frameData           = 0x0
	frameHeaders        = 0x1
	frameCancelPush     = 0x3
	frameSettings       = 0x4
	framePushPromise    = 0x5
	frameGoAway         = 0x7
	frameMaxPushID      = 0xd
	framePriority       = 0xf0700
	framePushedPriority = 0xf0701
)

// isReserved tells whether a frame's type is one of H2's that H3 hasn't, and that must not come: section 7.2.8.
func isReserved(kind uint64) bool {
	return kind == 0x2 || kind == 0x6 || kind == 0x8 || kind == 0x9
}

// The settings, RFC 9114, section 7.2.4.1, RFC 9204, section 5, and RFC 9220, section 3.
const (
	settingMaxFieldSection = 0x6
	settingExtendedConnect = 0x8
)

// appendSettings appends the beginning of the control stream: its type, and what this side takes. There is no dynamic
// table for field sections.
func appendSettings(dst []byte, header int64) []byte {
	var payload []byte
	payload = quicvarint.Append(payload, settingMaxFieldSection)
	payload = quicvarint.Append(payload, uint64(header))
	payload = quicvarint.Append(payload, settingExtendedConnect)
	payload = quicvarint.Append(payload, 1)
	dst = quicvarint.Append(dst, streamControl)
	dst = appendFrame(dst, frameSettings, len(payload))
	return append(dst, payload...)
}

func appendGoAway(dst []byte, first quic.StreamID) []byte {
	dst = appendFrame(dst, frameGoAway, quicvarint.Len(uint64(first)))
	return quicvarint.Append(dst, uint64(first))
}

// appendFrame appends the head of a frame.
func appendFrame(dst []byte, kind uint64, length int) []byte {
	return quicvarint.Append(quicvarint.Append(dst, kind), uint64(length))
}

// readFrame reads the head of a frame. Where the stream ends before one, the error is io.EOF.
func readFrame(r quicvarint.Reader) (kind, length uint64, err error) {
	if kind, err = readVarint(r); err != nil {
		return 0, 0, err
	}
	if length, err = quicvarint.Read(r); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return kind, length, err
}

// readVarint reads an integer; the error is io.EOF only where the stream ends before it.
func readVarint(r quicvarint.Reader) (uint64, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	v := uint64(first & 0x3f)
	for range 1<<(first>>6) - 1 {
		b, err := r.ReadByte()
		if errors.Is(err, io.EOF) {
			return 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		v = v<<8 | uint64(b)
	}
	return v, nil
}

// cancel ends both directions of a stream.
func cancel(s *quic.Stream, why code) {
	s.CancelRead(quic.StreamErrorCode(why))
	s.CancelWrite(quic.StreamErrorCode(why))
}

func isDeadline(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
