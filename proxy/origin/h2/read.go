package h2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/h2/frame"
)

// readSize is how much is read at once, in octets: more than a frame.
const readSize = 32 << 10

// read reads until the connection ends, and closes it when everything that is to be said was.
func (n *conn) read() {
	err := n.readFrames()
	var breach *frame.Error
	n.mu.Lock()
	if errors.As(err, &breach) {
		n.depart(breach.Code, fmt.Errorf("%w: %w (%s)", ErrMalformed, err, breach.Code))
	}
	n.end(err)
	for n.writing {
		n.rested.Wait()
	}
	n.mu.Unlock()
	n.client.remove(n)
	if breach != nil {
		n.linger()
	}
	_ = n.wire.Close()
}

// linger reads what still comes for a while: a socket that is closed before answers with a reset, at which the server would
// lose GOAWAY.
func (n *conn) linger() {
	if c, ok := n.wire.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_ = n.wire.SetReadDeadline(time.Now().Add(linger))
		_, _ = io.Copy(io.Discard, n.wire)
	}
}

func (n *conn) readFrames() error {
	for {
		k, err := n.wire.Read(n.in[len(n.in):cap(n.in)])
		if n.in = n.in[:len(n.in)+k]; k > 0 {
			err = n.frames()
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the server closed the connection: %w", err)
		}
		if err != nil {
			return err
		}
	}
}

// frames deals with the frames that are whole. Whoever waits for them gets on when all are dealt with.
func (n *conn) frames() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	n.heard, n.pinged = time.Now(), time.Time{}
	rest := n.in
	defer func() { n.in = append(n.in[:0], rest...) }()
	for len(rest) >= frame.HeadSize {
		f := frame.Read(rest)
		if err := n.check(f); err != nil {
			return err
		}
		whole := frame.HeadSize + f.Length
		if len(rest) < whole {
			break
		}
		payload := rest[frame.HeadSize:whole]
		rest = rest[whole:]
		if err := n.frame(f, payload); err != nil {
			return err
		}
	}
	if len(n.out) > maxOut {
		return &frame.Error{Code: frame.EnhanceYourCalm, What: "more is asked for than taken"}
	}
	n.writeBeside()
	return n.err
}

// check looks at a frame's head, before the rest has come.
func (n *conn) check(f frame.Head) error {
	switch {
	case f.Length > frame.MaxPayload:
		return &frame.Error{Code: frame.FrameSizeError, What: "a large frame"}
	case !n.settled && (f.Kind != frame.Settings || f.Has(frame.Ack)):
		return &frame.Error{Code: frame.ProtocolError, What: "no SETTINGS first"}
	}
	return n.block.Admits(f)
}

// frame deals with one frame. Those of types that it doesn't know, and PRIORITY, mean nothing to a client.
func (n *conn) frame(f frame.Head, payload []byte) error {
	if err := frame.Check(f); err != nil {
		return err
	}
	switch f.Kind {
	case frame.Data:
		return n.data(f, payload)
	case frame.Headers:
		text, whole, err := n.block.Begin(f, payload, n.client.MaxHeader)
		if err != nil || !whole {
			return tooLong(err)
		}
		return n.section(f, text)
	case frame.Continuation:
		head, text, whole, err := n.block.Continue(f, payload, n.client.MaxHeader)
		if err != nil || !whole {
			return tooLong(err)
		}
		return n.section(head, text)
	case frame.ResetStream:
		return n.wasReset(f.Stream, frame.Code(binary.BigEndian.Uint32(payload)))
	case frame.Settings:
		return n.settings(f, payload)
	case frame.Ping:
		if !f.Has(frame.Ack) {
			n.out = append(frame.Append(n.out, frame.Head{Length: len(payload), Kind: frame.Ping, Flags: frame.Ack}), payload...)
		}
	case frame.GoAway:
		return n.goAway(frame.StreamOf(payload), frame.Code(binary.BigEndian.Uint32(payload[4:])))
	case frame.WindowUpdate:
		if n.isIdle(f.Stream) {
			return &frame.Error{Code: frame.ProtocolError, What: "WINDOW_UPDATE of a stream that wasn't opened"}
		}
	}
	return nil
}

// tooLong names the error of a header block that passes its limit.
func tooLong(err error) error {
	var breach *frame.Error
	if errors.As(err, &breach) && breach.Code == frame.EnhanceYourCalm {
		return &frame.Error{Code: breach.Code, What: errHeader.Error()}
	}
	return err
}

// isIdle tells of a stream that wasn't opened. n.mu is held.
func (n *conn) isIdle(id uint32) bool { return id != 0 && (id%2 == 0 || id >= n.next) }

// settings deals with what the server wants, RFC 9113, section 6.5.2. Of content nothing is sent, so windows don't matter. n.mu
// is held.
func (n *conn) settings(f frame.Head, payload []byte) error {
	if f.Has(frame.Ack) {
		return nil
	}
	if !n.settled {
		n.settled, n.most = true, mostStreams
		defer close(n.greeted)
	}
	for ; len(payload) >= frame.SettingSize; payload = payload[frame.SettingSize:] {
		value := binary.BigEndian.Uint32(payload[2:])
		switch binary.BigEndian.Uint16(payload) {
		case frame.SettingMaxStreams:
			n.most = int64(value)
		case frame.SettingEnablePush:
			if value != 0 {
				return &frame.Error{Code: frame.ProtocolError, What: "a server that would be pushed to"}
			}
		case frame.SettingInitialWindowSize:
			if value > frame.MaxWindow {
				return &frame.Error{Code: frame.FlowControlError, What: "INITIAL_WINDOW_SIZE that is too large"}
			}
		case frame.SettingMaxFrameSize:
			if value < frame.MaxPayload || value >= 1<<24 {
				return &frame.Error{Code: frame.ProtocolError, What: "MAX_FRAME_SIZE out of its range"}
			}
		}
	}
	n.out = frame.Append(n.out, frame.Head{Kind: frame.Settings, Flags: frame.Ack})
	return nil
}

// goAway deals with GOAWAY, RFC 9113, section 6.8: streams above last can be asked for elsewhere. n.mu is held.
func (n *conn) goAway(last uint32, code frame.Code) error {
	n.leaving = true
	for _, s := range n.open {
		if s.id > last {
			n.closed(s)
			s.fail(&unprocessed{fmt.Errorf("the server goes away: %s", code), last > 0})
		}
	}
	if n.places == 0 {
		n.end(io.EOF)
	}
	return nil
}

// wasReset deals with RST_STREAM. n.mu is held.
func (n *conn) wasReset(id uint32, code frame.Code) error {
	if n.isIdle(id) {
		return &frame.Error{Code: frame.ProtocolError, What: "RST_STREAM of a stream that wasn't opened"}
	}
	s := n.open[id]
	if s == nil {
		return nil
	}
	n.closed(s)
	err := fmt.Errorf("the server reset the stream: %s", code)
	if code == frame.RefusedStream && !s.answered {
		err = &unprocessed{err, false}
	}
	s.fail(err)
	return nil
}

// data deals with DATA. n.mu is held.
func (n *conn) data(f frame.Head, payload []byte) error {
	content, ok := frame.Unpad(f, payload)
	if !ok {
		return &frame.Error{Code: frame.ProtocolError, What: "DATA with padding that is too long"}
	}
	if n.receive -= int64(f.Length); n.receive < 0 {
		return &frame.Error{Code: frame.FlowControlError, What: "more than the window takes"}
	}
	if n.consumed += int64(f.Length); n.consumed >= connWindow/creditShare {
		n.out = frame.AppendUpdate(n.out, 0, n.consumed)
		n.receive += n.consumed
		n.consumed = 0
	}
	s := n.open[f.Stream]
	switch {
	case n.isIdle(f.Stream):
		return &frame.Error{Code: frame.ProtocolError, What: "DATA on a stream that wasn't opened"}
	case s == nil: // given up
		return nil
	}
	s.data(f, content)
	return nil
}

// section deals with a header block that is whole: a response, interim or final, or trailers. It is decoded in any case: later
// ones build on it. n.mu is held.
func (n *conn) section(f frame.Head, text []byte) error {
	defer n.forget()
	if f.Has(frame.HasPriority) {
		text = text[5:]
	}
	_, err := n.table.Write(text)
	if err == nil {
		err = n.table.Close()
	}
	if err != nil {
		return &frame.Error{Code: frame.CompressionError, What: err.Error()}
	}
	if n.isIdle(f.Stream) {
		return &frame.Error{Code: frame.ProtocolError, What: "HEADERS of a stream that wasn't opened"}
	}
	if s := n.open[f.Stream]; s != nil {
		s.section(n.fields, n.size, f.Has(frame.EndStream))
	}
	return nil
}

// addField takes a field that was decoded. Past the limit it keeps none.
func (n *conn) addField(f hpack.HeaderField) {
	if n.size += int64(f.Size()); n.size <= n.client.MaxHeader {
		n.fields = append(n.fields, f)
	}
}

// keptFields is how long a list of fields may be that is kept.
const keptFields = 64

// forget drops the fields.
func (n *conn) forget() {
	clear(n.fields)
	if n.fields, n.size = n.fields[:0], 0; cap(n.fields) > keptFields {
		n.fields = nil
	}
}
