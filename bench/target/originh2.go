package target

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/message"
)

// originH2 is a connection to an origin that began with H2's preface, which was read but for its end.
type originH2 struct {
	origin  *Origin
	in      *bufio.Reader
	out     []byte
	table   *hpack.Decoder
	asked   originRequest
	answers []*answerH2 // that aren't over, in the order of their requests
	window  int64
	initial int64
}

// answerH2 is what is left of an answer.
type answerH2 struct {
	stream       uint32
	window       int64
	from, length int64
}

// restOfPreface is what comes behind the preface's request line and its blank one, RFC 9113, section 3.4.
const restOfPreface = "SM\r\n\r\n"

// serveH2 answers requests over H2 without TLS, all that have come by one write.
func (o *Origin) serveH2(w io.Writer, in *bufio.Reader) error {
	if _, err := in.Discard(len(restOfPreface)); err != nil {
		return err
	}
	c := &originH2{origin: o, in: in, window: frame.InitialWindow, initial: frame.InitialWindow}
	c.table = hpack.NewDecoder(frame.TableSize, c.field)
	settings := frame.AppendSetting(nil, frame.SettingMaxStreams, 1000)
	c.out = append(frame.Append(c.out, frame.Head{Length: len(settings), Kind: frame.Settings}), settings...)
	for {
		if err := c.frame(); err != nil {
			return err
		}
		if in.Buffered() >= frame.HeadSize {
			continue
		}
		c.send()
		if _, err := w.Write(c.out); err != nil {
			return err
		}
		c.out = c.out[:0]
	}
}

// frame reads a frame, and deals with it.
func (c *originH2) frame() error {
	var octets [frame.HeadSize]byte
	if _, err := io.ReadFull(c.in, octets[:]); err != nil {
		return err
	}
	f := frame.Read(octets[:])
	if err := frame.Check(f); err != nil {
		return err
	}
	payload := make([]byte, f.Length)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return err
	}
	switch f.Kind {
	case frame.Headers:
		return c.request(f, payload)
	case frame.Settings:
		c.settings(f, payload)
	case frame.Ping:
		if !f.Has(frame.Ack) {
			c.out = append(frame.Append(c.out, frame.Head{Length: len(payload), Kind: frame.Ping, Flags: frame.Ack}), payload...)
		}
	case frame.WindowUpdate:
		c.widen(f.Stream, int64(frame.StreamOf(payload)))
	case frame.ResetStream:
		c.forget(f.Stream)
	case frame.GoAway:
		return io.EOF
	}
	return nil
}

func (c *originH2) settings(f frame.Head, payload []byte) {
	if f.Has(frame.Ack) {
		return
	}
	for ; len(payload) >= frame.SettingSize; payload = payload[frame.SettingSize:] {
		if binary.BigEndian.Uint16(payload) == frame.SettingInitialWindowSize {
			c.initial = int64(binary.BigEndian.Uint32(payload[2:]))
		}
	}
	c.out = frame.Append(c.out, frame.Head{Kind: frame.Settings, Flags: frame.Ack})
}

func (c *originH2) widen(stream uint32, more int64) {
	if stream == 0 {
		c.window += more
	}
	for _, a := range c.answers {
		if a.stream == stream {
			a.window += more
		}
	}
}

func (c *originH2) forget(stream uint32) {
	for _, a := range c.answers {
		if a.stream == stream {
			a.length = 0
		}
	}
}

func (c *originH2) field(f hpack.HeaderField) {
	switch f.Name {
	case ":method":
		c.asked.method = f.Value
	case ":path":
		c.asked.path = f.Value
	case "range":
		c.asked.span = f.Value
	case "if-none-match":
		c.asked.match = strings.Contains(f.Value, etag)
	}
}

// request answers a request without content, whose header section comes in one frame.
func (c *originH2) request(f frame.Head, payload []byte) error {
	if !f.Has(frame.EndStream) || !f.Has(frame.EndHeaders) {
		return errors.New("a request that isn't one frame")
	}
	c.asked = originRequest{}
	if _, err := c.table.Write(payload); err != nil {
		return err
	}
	c.origin.requests.Add(1)
	head, from, length := c.asked.appendHead(nil)
	flags := uint8(0)
	if length == 0 {
		flags = frame.EndStream
	}
	c.out = frame.AppendHeaders(c.out, f.Stream, flags, appendLinesH2(nil, string(head)))
	if length > 0 {
		c.answers = append(c.answers, &answerH2{f.Stream, c.initial, from, length})
	}
	return nil
}

// appendLinesH2 appends an answer's header section of H1 as a header block that uses no table.
func appendLinesH2(dst []byte, head string) []byte {
	line, head, _ := strings.Cut(head, "\r\n")
	const status = 8 // RFC 7541, Appendix A
	dst = message.AppendString(append(dst, status), strings.Fields(line)[1])
	for {
		line, head, _ = strings.Cut(head, "\r\n")
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return dst
		}
		dst = message.AppendInteger(append(dst, 0), 0, 7, len(name))
		dst = message.AppendString(message.AppendLower(dst, name), value)
	}
}

// send appends what the windows allow of the contents.
func (c *originH2) send() {
	rest := c.answers[:0]
	for _, a := range c.answers {
		for a.length > 0 && a.window > 0 && c.window > 0 {
			part := block[a.from%int64(len(block)):]
			part = part[:min(a.length, a.window, c.window, frame.MaxPayload, int64(len(part)))]
			n := int64(len(part))
			flags := uint8(0)
			if n == a.length {
				flags = frame.EndStream
			}
			c.out = frame.Append(c.out, frame.Head{Length: len(part), Kind: frame.Data, Flags: flags, Stream: a.stream})
			c.out = append(c.out, part...)
			c.origin.octets.Add(n)
			a.from, a.length, a.window, c.window = a.from+n, a.length-n, a.window-n, c.window-n
		}
		if a.length > 0 {
			rest = append(rest, a)
		}
	}
	clear(c.answers[len(rest):])
	c.answers = rest
}
