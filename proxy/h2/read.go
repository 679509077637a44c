package h2

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
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
			return &connectionError{codeProtocol, "no preface"}
		}
		c.begun += n
		rest = rest[n:]
	}
	for len(rest) >= frameHead {
		f := readFrame(rest)
		whole := frameHead + f.length
		if err := c.check(f); err != nil {
			return err
		}
		if len(rest) < whole {
			return nil
		}
		payload := rest[frameHead:whole]
		rest = rest[whole:]
		if f.kind == frameSettings && !f.has(flagAck) {
			acks++
		}
		if err := c.frame(f, payload, now, acks <= maxAcks); err != nil {
			return err
		}
	}
	return nil
}

// check looks at a frame's head, before the rest has come.
func (c *Conn) check(f frame) error {
	switch {
	case f.length > maxFrame:
		return &connectionError{codeFrameSize, "a large frame"}
	case c.block.head.stream != 0 && (f.kind != frameContinuation || f.stream != c.block.head.stream):
		return &connectionError{codeProtocol, "a frame amid a header block"}
	case !c.settled && (f.kind != frameSettings || f.has(flagAck)):
		return &connectionError{codeProtocol, "no SETTINGS first"}
	}
	c.settled = true
	return nil
}

// frame deals with one frame.
func (c *Conn) frame(f frame, payload []byte, now time.Time, ack bool) error {
	if err := checkFrame(f); err != nil {
		return err
	}
	switch f.kind {
	case frameData:
		return c.data(f, payload)
	case frameHeaders:
		return c.headers(f, payload, now)
	case frameContinuation:
		return c.continuation(f, payload, now)
	case framePriority:
		return c.priority(f, payload)
	case frameReset:
		return c.wasReset(f.stream)
	case frameSettings:
		return c.settings(f, payload, ack)
	case framePing:
		if !f.has(flagAck) {
			c.say(frame{length: len(payload), kind: framePing, flags: flagAck}, payload)
		}
	case frameWindowUpdate:
		return c.windowUpdate(f.stream, int64(streamOf(payload)))
	case frameReprioritise:
		c.reprioritise(payload)
	}
	return nil
}

// priority deals with PRIORITY, of which nothing is left (RFC 9113, section 5.3.2) but its length, and that a stream can't
// depend on itself (RFC 7540, section 5.3.1). Either is the stream's end, or where there is none to reset (RFC 9113, section
// 6.4) the connection's.
func (c *Conn) priority(f frame, payload []byte) error {
	code := codeNone
	switch {
	case f.length != 5:
		code = codeFrameSize
	case streamOf(payload) == f.stream:
		code = codeProtocol
	default:
		return nil
	}
	c.mu.Lock()
	idle := c.isIdle(f.stream)
	c.mu.Unlock()
	if idle {
		return &connectionError{code, "a wrong PRIORITY of a stream that wasn't opened"}
	}
	return c.refuse(f.stream, code, false)
}

// checkFrame checks what doesn't depend on what there was before.
func checkFrame(f frame) error {
	onStream := f.stream != 0
	wrong := false
	switch f.kind {
	case frameData, frameHeaders, framePriority, frameReset, frameContinuation:
		wrong = !onStream
	case frameSettings, framePing, frameGoAway, frameReprioritise:
		wrong = onStream
	case framePush:
		wrong = true
	}
	if wrong {
		return &connectionError{codeProtocol, fmt.Sprintf("a frame of type %d on stream %d", f.kind, f.stream)}
	}
	switch f.kind {
	case frameReset, frameWindowUpdate:
		wrong = f.length != 4
	case framePing:
		wrong = f.length != 8
	case frameSettings:
		wrong = f.length%settingSize != 0 || f.has(flagAck) && f.length > 0
	case frameGoAway:
		wrong = f.length < 8
	}
	if wrong {
		return &connectionError{codeFrameSize, fmt.Sprintf("a frame of type %d with %d octets", f.kind, f.length)}
	}
	return nil
}

// say appends a frame to the output.
func (c *Conn) say(f frame, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.output()
	o.octets = append(appendFrame(o.octets, f), payload...)
	c.awaitRoom()
}

// settings deals with what the client wants, RFC 9113, section 6.5.2. In one frame a later value of the same setting holds.
func (c *Conn) settings(f frame, payload []byte, ack bool) error {
	if f.has(flagAck) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	initial := c.initial
	for ; len(payload) >= settingSize; payload = payload[settingSize:] {
		if err := c.setting(binary.BigEndian.Uint16(payload), binary.BigEndian.Uint32(payload[2:])); err != nil {
			return err
		}
	}
	if ack {
		o := c.output()
		o.octets = appendFrame(o.octets, frame{kind: frameSettings, flags: flagAck})
	}
	if c.initial == initial {
		return nil
	}
	for _, s := range c.open {
		if !c.widen(s, c.initial-initial) {
			return &connectionError{codeFlowControl, "a window that is too large"}
		}
	}
	return nil
}

// setting is called with mu held.
func (c *Conn) setting(id uint16, value uint32) error {
	switch id {
	case settingHeaderTableSize:
		// Where the table gets smaller the next header block must say how large it is from now on (RFC 7541, section 4.2). It
		// isn't used; to say so in every block costs one octet, and those who set this are few.
		c.noTable = c.noTable || value < tableSize
	case settingEnablePush:
		if value > 1 {
			return &connectionError{codeProtocol, "ENABLE_PUSH that is no choice"}
		}
	case settingInitialWindowSize:
		if value > maxWindow {
			return &connectionError{codeFlowControl, "INITIAL_WINDOW_SIZE that is too large"}
		}
		c.initial = int64(value)
	case settingMaxFrameSize:
		if value < maxFrame || value >= 1<<24 {
			return &connectionError{codeProtocol, "MAX_FRAME_SIZE out of its range"}
		}
	case settingExtendedConnect:
		if value > 1 {
			return &connectionError{codeProtocol, "ENABLE_CONNECT_PROTOCOL that is no choice"}
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
		return &connectionError{codeProtocol, "WINDOW_UPDATE without an increment"}
	case stream == 0 && c.window+more > maxWindow:
		return &connectionError{codeFlowControl, "a window that is too large"}
	case stream == 0:
		c.window += more
		if c.patience != nil {
			c.widened = time.Now()
		}
		c.wake()
	case c.isIdle(stream):
		return &connectionError{codeProtocol, "WINDOW_UPDATE of a stream that wasn't opened"}
	case s == nil:
	case more == 0:
		c.reset(s, codeProtocol)
	case !c.widen(s, more):
		c.reset(s, codeFlowControl)
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
		return &connectionError{codeProtocol, "RST_STREAM of a stream that wasn't opened"}
	}
	c.forgetCut(stream)
	if s := c.open[stream]; s != nil {
		s.clientEnd = true
		s.stop(errReset)
		c.closed(s)
	}
	return nil
}
