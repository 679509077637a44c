package frame

import "fmt"

// Code is why a stream or a connection ends, RFC 9113, section 7.
type Code uint32

// The codes that are used here.
const (
	NoError          Code = 0x0
	ProtocolError    Code = 0x1
	InternalError    Code = 0x2
	FlowControlError Code = 0x3
	StreamClosed     Code = 0x5
	FrameSizeError   Code = 0x6
	RefusedStream    Code = 0x7
	Cancel           Code = 0x8
	CompressionError Code = 0x9
	EnhanceYourCalm  Code = 0xb
)

// names are those of RFC 9113, section 7, by code.
var names = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String is the code's name in RFC 9113, section 7.
func (c Code) String() string {
	if int64(c) < int64(len(names)) {
		return names[c]
	}
	return fmt.Sprintf("code %#x", uint32(c))
}

// Error ends a connection for what the peer did, RFC 9113, section 5.4.1.
type Error struct {
	Code Code
	What string
}

func (e *Error) Error() string { return e.What }

// Check checks what doesn't depend on what there was before. The error is an *Error.
func Check(h Head) error {
	onStream := h.Stream != 0
	wrong := false
	switch h.Kind {
	case Data, Headers, Priority, ResetStream, Continuation:
		wrong = !onStream
	case Settings, Ping, GoAway, PriorityUpdate:
		wrong = onStream
	case PushPromise: // clients may not send it, and ours don't let servers do
		wrong = true
	}
	if wrong {
		return &Error{ProtocolError, fmt.Sprintf("a frame of type %d on stream %d", h.Kind, h.Stream)}
	}
	switch h.Kind {
	case ResetStream, WindowUpdate:
		wrong = h.Length != 4
	case Ping:
		wrong = h.Length != 8
	case Settings:
		wrong = h.Length%SettingSize != 0 || h.Has(Ack) && h.Length > 0
	case GoAway:
		wrong = h.Length < 8
	}
	if wrong {
		return &Error{FrameSizeError, fmt.Sprintf("a frame of type %d with %d octets", h.Kind, h.Length)}
	}
	return nil
}
