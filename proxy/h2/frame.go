package h2

import "encoding/binary"

// frameKind is a frame's type, RFC 9113 §6.
type frameKind uint8

const (
	frameData         frameKind = 0x0
	frameHeaders      frameKind = 0x1
	framePriority     frameKind = 0x2
	frameReset        frameKind = 0x3
	frameSettings     frameKind = 0x4
	framePush         frameKind = 0x5
	framePing         frameKind = 0x6
	frameGoAway       frameKind = 0x7
	frameWindowUpdate frameKind = 0x8
	frameContinuation frameKind = 0x9
	frameReprioritise frameKind = 0x10 // PRIORITY_UPDATE, RFC 9218 §7.1
)

// The flags, each of the frames that have it.
const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// errorCode is why a stream or a connection ends, RFC 9113 §7.
type errorCode uint32

const (
	codeNone           errorCode = 0x0
	codeProtocol       errorCode = 0x1
	codeInternal       errorCode = 0x2
	codeFlowControl    errorCode = 0x3
	codeStreamClosed   errorCode = 0x5
	codeFrameSize      errorCode = 0x6
	codeRefused        errorCode = 0x7
	codeCancel         errorCode = 0x8
	codeCompression    errorCode = 0x9
	codeEnhanceYouCalm errorCode = 0xb
)

const (
	frameHead = 9 // octets
	// maxFrame is the largest payload that every peer takes, in octets, RFC 9113 §4.2, and the largest that is taken here.
	maxFrame = 16 << 10
	// initialWindow is the size of every window at first, in octets, RFC 9113 §6.9.2.
	initialWindow = 65_535
	// maxWindow is the largest, RFC 9113 §6.9.1.
	maxWindow = 1<<31 - 1
	// tableSize is that of both header tables at first, in octets, RFC 9113 §6.5.2.
	tableSize = 4 << 10
)

// The settings, RFC 9113 §6.5.2, and RFC 8441 §3.
const (
	settingHeaderTableSize   = 0x1
	settingEnablePush        = 0x2
	settingMaxStreams        = 0x3
	settingInitialWindowSize = 0x4
	settingMaxFrameSize      = 0x5
	settingMaxHeaderList     = 0x6
	settingExtendedConnect   = 0x8

	settingSize = 6 // octets
)

// frame is one frame's head.
type frame struct {
	length int // of the payload
	kind   frameKind
	flags  uint8
	stream uint32
}

func (f frame) has(flag uint8) bool { return f.flags&flag != 0 }

// readFrame reads a head at the beginning of b, which has it whole.
func readFrame(b []byte) frame {
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), kind: frameKind(b[3]), flags: b[4],
		stream: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31),
	}
}

func appendFrame(dst []byte, f frame) []byte {
	dst = append(dst, byte(f.length>>16), byte(f.length>>8), byte(f.length), byte(f.kind), f.flags)
	return binary.BigEndian.AppendUint32(dst, f.stream)
}

// appendHeaders appends a header block as HEADERS, and as many CONTINUATION as it takes. flags are those of HEADERS but
// END_HEADERS; with PRIORITY among them the block begins with its five octets.
func appendHeaders(dst []byte, stream uint32, flags uint8, block []byte) []byte {
	for kind := frameHeaders; ; kind, flags = frameContinuation, 0 {
		part := block[:min(len(block), maxFrame)]
		block = block[len(part):]
		if len(block) == 0 {
			flags |= flagEndHeaders
		}
		dst = appendFrame(dst, frame{len(part), kind, flags, stream})
		dst = append(dst, part...)
		if len(block) == 0 {
			return dst
		}
	}
}

// appendReset appends RST_STREAM, RFC 9113 §6.4.
func appendReset(dst []byte, stream uint32, code errorCode) []byte {
	dst = appendFrame(dst, frame{length: 4, kind: frameReset, stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// appendGoAway appends GOAWAY, RFC 9113 §6.8: no stream above last has been, or will be, answered.
func appendGoAway(dst []byte, last uint32, code errorCode) []byte {
	dst = appendFrame(dst, frame{length: 8, kind: frameGoAway})
	dst = binary.BigEndian.AppendUint32(dst, last)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// appendUpdate appends WINDOW_UPDATE, RFC 9113 §6.9.
func appendUpdate(dst []byte, stream uint32, more int64) []byte {
	dst = appendFrame(dst, frame{length: 4, kind: frameWindowUpdate, stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(more))
}

// appendSetting appends one setting of a SETTINGS frame.
func appendSetting(dst []byte, id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, id), value)
}

// unpad is a payload without its padding; ok is false where that is longer than what there is.
func unpad(f frame, payload []byte) (rest []byte, ok bool) {
	if !f.has(flagPadded) {
		return payload, true
	}
	if len(payload) == 0 || int(payload[0]) >= len(payload) {
		return nil, false
	}
	return payload[1 : len(payload)-int(payload[0])], true
}
