package h2

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/anyedge/anyedge/proxy/h2/frame"
)

// maxAcks is how many SETTINGS of one read are acknowledged: one who sends more can't wait for each.
const maxAcks = 8

// frames deals with the frames that are whole.
func (c *Conn) frames() error {
	now, rest, acks := time.Now(), c.octets, 0
	defer func() { c.octets = append(c.octets[:0], rest...) }()
	for c.begun < len(preface) && len(rest) > 0 {
		n := min(len(preface)-c.begun, len(rest))
		if !strings.HasPrefix(preface[c.begun:], string(rest[:n])) {
			return &frame.Error{Code: frame.ProtocolError, What: "no preface"}
		}
		c.begun += n
		rest = rest[n:]
	}
	for len(rest) >= frame.HeadSize {
		f := frame.Read(rest)
		whole := frame.HeadSize + f.Length
		if err := c.check(f); err != nil {
			return err
		}
		if len(rest) < whole {
			return nil
		}
		payload := rest[frame.HeadSize:whole]
		rest = rest[whole:]
		if f.Kind == frame.Settings && !f.Has(frame.Ack) {
			acks++
		}
		if err := c.frame(f, payload, now, acks <= maxAcks); err != nil {
			return err
		}
	}
	return nil
}

// check looks at a frame's head, before the rest has come.
func (c *Conn) check(f frame.Head) error {
	switch {
	case f.Length > frame.MaxPayload:
		return &frame.Error{Code: frame.FrameSizeError, What: "a large frame"}
	case !c.settled && (f.Kind != frame.Settings || f.Has(frame.Ack)):
		return &frame.Error{Code: frame.ProtocolError, What: "no SETTINGS first"}
	}
	c.settled = true
	return c.block.Admits(f)
}

// frame deals with one frame.
func (c *Conn) frame(f frame.Head, payload []byte, now time.Time, ack bool) error {
	if err := frame.Check(f); err != nil {
		return err
	}
	switch f.Kind {
	case frame.Data:
		return c.data(f, payload)
	case frame.Headers:
		return c.headers(f, payload, now)
	case frame.Continuation:
		return c.continuation(f, payload, now)
	case frame.Priority:
		return c.priority(f, payload)
	case frame.ResetStream:
		return c.wasReset(f.Stream)
	case frame.Settings:
		return c.settings(f, payload, ack)
	case frame.Ping:
		if !f.Has(frame.Ack) {
			c.say(frame.Head{Length: len(payload), Kind: frame.Ping, Flags: frame.Ack}, payload)
		}
	case frame.WindowUpdate:
		return c.windowUpdate(f.Stream, int64(frame.StreamOf(payload)))
	case frame.PriorityUpdate:
		c.reprioritise(payload)
	}
	return nil
}

// priority deals with PRIORITY, of which nothing is left (RFC 9113, section 5.3.2) but its length, and that a stream can't
// depend on itself (RFC 7540, section 5.3.1). Either is the stream's end, or where there is none to reset (RFC 9113, section
// 6.4) the connection's.
func (c *Conn) priority(f frame.Head, payload []byte) error {
	code := frame.NoError
	switch {
	case f.Length != 5:
		code = frame.FrameSizeError
	case frame.StreamOf(payload) == f.Stream:
		code = frame.ProtocolError
	default:
		return nil
	}
	c.mu.Lock()
	idle := c.isIdle(f.Stream)
	c.mu.Unlock()
	if idle {
		return &frame.Error{Code: code, What: "a wrong PRIORITY of a stream that wasn't opened"}
	}
	return c.refuse(f.Stream, code, false)
}

// say appends a frame to the output.
func (c *Conn) say(f frame.Head, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.output()
	o.octets = append(frame.Append(o.octets, f), payload...)
	c.awaitRoom()
}

// settings deals with what the client wants, RFC 9113, section 6.5.2. In one frame a later value of the same setting holds.
func (c *Conn) settings(f frame.Head, payload []byte, ack bool) error {
	if f.Has(frame.Ack) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	initial := c.initial
	for ; len(payload) >= frame.SettingSize; payload = payload[frame.SettingSize:] {
		if err := c.setting(binary.BigEndian.Uint16(payload), binary.BigEndian.Uint32(payload[2:])); err != nil {
			return err
		}
	}
	if ack {
		o := c.output()
		o.octets = frame.Append(o.octets, frame.Head{Kind: frame.Settings, Flags: frame.Ack})
	}
	if c.initial == initial {
		return nil
	}
	for _, s := range c.open {
		if !c.widen(s, c.initial-initial) {
			return &frame.Error{Code: frame.FlowControlError, What: "a window that is too large"}
		}
	}
	return nil
}

// setting is called with mu held.
func (c *Conn) setting(id uint16, value uint32) error {
	switch id {
	case frame.SettingHeaderTableSize:
		// Where the table gets smaller the next header block must say how large it is from now on (RFC 7541, section 4.2). It
		// isn't used; to say so in every block costs one octet, and those who set this are few.
		c.noTable = c.noTable || value < frame.TableSize
	case frame.SettingEnablePush:
		if value > 1 {
			return &frame.Error{Code: frame.ProtocolError, What: "ENABLE_PUSH that is no choice"}
		}
	case frame.SettingInitialWindowSize:
		if value > frame.MaxWindow {
			return &frame.Error{Code: frame.FlowControlError, What: "INITIAL_WINDOW_SIZE that is too large"}
		}
		c.initial = int64(value)
	case frame.SettingMaxFrameSize:
		if value < frame.MaxPayload || value >= 1<<24 {
			return &frame.Error{Code: frame.ProtocolError, What: "MAX_FRAME_SIZE out of its range"}
		}
	case frame.SettingExtendedConnect:
		if value > 1 {
			return &frame.Error{Code: frame.ProtocolError, What: "ENABLE_CONNECT_PROTOCOL that is no choice"}
		}
	}
	return nil
}

// windowUpdate deals with WINDOW_UPDATE, RFC 9113, section 6.9.
func (c *Conn) windowUpdate(stream uint32, more int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.open[stream]
	switch {
	case stream == 0 && more == 0:
		return &frame.Error{Code: frame.ProtocolError, What: "WINDOW_UPDATE without an increment"}
	case stream == 0 && c.window+more > frame.MaxWindow:
		return &frame.Error{Code: frame.FlowControlError, What: "a window that is too large"}
	case stream == 0:
		c.window += more
		if c.patience != nil {
			c.widened = time.Now()
		}
		c.wake()
	case c.isIdle(stream):
		return &frame.Error{Code: frame.ProtocolError, What: "WINDOW_UPDATE of a stream that wasn't opened"}
	case s == nil:
	case more == 0:
		c.reset(s, frame.ProtocolError)
	case !c.widen(s, more):
		c.reset(s, frame.FlowControlError)
	}
	return nil
}

// isIdle tells whether the client hasn't opened a stream. c.mu is held.
func (c *Conn) isIdle(stream uint32) bool {
	return stream%2 == 0 || stream > max(c.last, c.ignored)
}

// wasReset deals with RST_STREAM.
func (c *Conn) wasReset(stream uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isIdle(stream) {
		return &frame.Error{Code: frame.ProtocolError, What: "RST_STREAM of a stream that wasn't opened"}
	}
	c.forgetCut(stream)
	if s := c.open[stream]; s != nil {
		s.clientEnd = true
		s.stop(errReset)
		c.closed(s)
	}
	return nil
}
