package frame

import (
	"encoding/binary"
	"slices"
)

// Kind is a frame's type, RFC 9113, section 6.
type Kind uint8

// The types, and PRIORITY_UPDATE of RFC 9218, section 7.1.
const (
	Data           Kind = 0x0
	Headers        Kind = 0x1
	Priority       Kind = 0x2
	ResetStream    Kind = 0x3
	Settings       Kind = 0x4
	PushPromise    Kind = 0x5
	Ping           Kind = 0x6
	GoAway         Kind = 0x7
	WindowUpdate   Kind = 0x8
	Continuation   Kind = 0x9
	PriorityUpdate Kind = 0x10
)

// The flags, each of the frames that have it.
const (
	EndStream   = 0x1
	Ack         = 0x1
	EndHeaders  = 0x4
	Padded      = 0x8
	HasPriority = 0x20
)

const (
	// HeadSize is that of a frame's head, in octets.
	HeadSize = 9
	// MaxPayload is the largest payload that every peer takes, in octets, RFC 9113, section 4.2, and the largest that is taken
	// here.
	MaxPayload = 16 << 10
	// InitialWindow is the size of every window at first, in octets, RFC 9113, section 6.9.2.
	InitialWindow = 65_535
	// MaxWindow is the largest, in octets, RFC 9113, section 6.9.1.
	MaxWindow = 1<<31 - 1
	// TableSize is that of both header tables at first, in octets, RFC 9113, section 6.5.2.
	TableSize = 4 << 10
)

// The settings, RFC 9113, section 6.5.2, and RFC 8441, section 3.
const (
	SettingHeaderTableSize   = 0x1
	SettingEnablePush        = 0x2
	SettingMaxStreams        = 0x3
	SettingInitialWindowSize = 0x4
	SettingMaxFrameSize      = 0x5
	SettingMaxHeaderList     = 0x6
	SettingExtendedConnect   = 0x8

	SettingSize = 6 // octets
)

// Head is a frame's head.
type Head struct {
	Length int // of the payload, in octets
	Kind   Kind
	Flags  uint8
	Stream uint32
}

// Has tells whether a flag is set.
func (h Head) Has(flag uint8) bool { return h.Flags&flag != 0 }

// Read reads a head at the beginning of b, which has it whole.
func Read(b []byte) Head {
	return Head{
		Length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), Kind: Kind(b[3]), Flags: b[4], Stream: StreamOf(b[5:]),
	}
}

// StreamOf is the stream that b begins with, which has four octets at least. It is also how much a WINDOW_UPDATE gives.
func StreamOf(b []byte) uint32 { return binary.BigEndian.Uint32(b) &^ (1 << 31) }

// Append appends a head.
func Append(dst []byte, h Head) []byte {
	dst = append(dst, byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Kind), h.Flags)
	return binary.BigEndian.AppendUint32(dst, h.Stream)
}

// OpenHeaders appends room for a head, behind which a header block is to be appended; CloseHeaders must follow.
func OpenHeaders(dst []byte) []byte { return append(dst, make([]byte, HeadSize)...) }

// CloseHeaders makes HEADERS, as AppendHeaders does, of what was appended since OpenHeaders was given the first start octets.
func CloseHeaders(dst []byte, start int, stream uint32, flags uint8) []byte {
	block := dst[start+HeadSize:]
	if len(block) > MaxPayload {
		return AppendHeaders(dst[:start], stream, flags, slices.Clone(block))
	}
	Append(dst[:start], Head{len(block), Headers, flags | EndHeaders, stream})
	return dst
}

// AppendHeaders appends a header block as HEADERS, and as many CONTINUATION as it takes. flags are those of HEADERS but
// END_HEADERS; with PRIORITY among them the block begins with its five octets.
func AppendHeaders(dst []byte, stream uint32, flags uint8, block []byte) []byte {
	for kind := Headers; ; kind, flags = Continuation, 0 {
		part := block[:min(len(block), MaxPayload)]
		block = block[len(part):]
		if len(block) == 0 {
			flags |= EndHeaders
		}
		dst = Append(dst, Head{len(part), kind, flags, stream})
		dst = append(dst, part...)
		if len(block) == 0 {
			return dst
		}
	}
}

// AppendReset appends RST_STREAM, RFC 9113, section 6.4.
func AppendReset(dst []byte, stream uint32, code Code) []byte {
	dst = Append(dst, Head{Length: 4, Kind: ResetStream, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendGoAway appends GOAWAY, RFC 9113, section 6.8: no stream above last has been, or will be, answered.
func AppendGoAway(dst []byte, last uint32, code Code) []byte {
	dst = Append(dst, Head{Length: 8, Kind: GoAway})
	dst = binary.BigEndian.AppendUint32(dst, last)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendUpdate appends WINDOW_UPDATE, RFC 9113, section 6.9.
func AppendUpdate(dst []byte, stream uint32, more int64) []byte {
	dst = Append(dst, Head{Length: 4, Kind: WindowUpdate, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(more))
}

// AppendSetting appends one setting of a SETTINGS frame.
func AppendSetting(dst []byte, id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, id), value)
}

// Unpad is a payload without its padding; ok is false where that is longer than what there is.
func Unpad(h Head, payload []byte) (rest []byte, ok bool) {
	if !h.Has(Padded) {
		return payload, true
	}
	if len(payload) == 0 || int(payload[0]) >= len(payload) {
		return nil, false
	}
	return payload[1 : len(payload)-int(payload[0])], true
}
