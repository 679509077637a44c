package hitpath

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// maxHit is the largest content that is answered here over H2, in octets. Beyond, the server shares the connection between
// the streams.
const maxHit = 128 << 10

// fieldList is a header section as it is decoded.
type fieldList struct {
	limit int64 // of size, in octets
	list  []hpack.HeaderField
	size  int64 // as RFC 9113 §6.5.2 counts it
}

// add appends a field. Past the limit it keeps one, by which the server sees that there is too much.
func (l *fieldList) add(f hpack.HeaderField) {
	if l.size <= l.limit {
		l.list = append(l.list, f)
	}
	l.size += int64(f.Size())
}

func (l *fieldList) reset() {
	clear(l.list)
	l.list, l.size = l.list[:0], 0
}

// headers deals with HEADERS.
func (c *H2Conn) headers(b *batch, f frame, whole []byte, now time.Time) error {
	priority, text, ok := fragment(f, whole[frameHead:])
	if !ok || f.stream == 0 {
		c.on = append(c.on, whole...) // the server says what is wrong with it
		return nil
	}
	if !f.has(flagEndHeaders) {
		c.block = block{head: f, text: append(append([]byte(nil), priority...), text...)}
		return nil
	}
	return c.section(b, f, priority, text, now)
}

// continuation deals with CONTINUATION behind HEADERS.
func (c *H2Conn) continuation(b *batch, f frame, payload []byte, now time.Time) error {
	k := &c.block
	k.text = append(k.text, payload...)
	if k.count++; k.count > maxContinuations || int64(len(k.text)) > c.server.Block {
		return c.fail(codeEnhanceYouCalm)
	}
	if !f.has(flagEndHeaders) {
		return nil
	}
	head, text := k.head, k.text
	c.block = block{}
	var priority []byte
	if head.has(flagPriority) {
		priority, text = text[:5], text[5:]
	}
	return c.section(b, head, priority, text, now)
}

// section deals with a header block that is whole: a request, or trailers.
func (c *H2Conn) section(b *batch, f frame, priority, text []byte, now time.Time) error {
	defer c.fields.reset()
	_, err := c.table.Write(text)
	if err = cmp.Or(err, c.table.Close()); err != nil {
		c.on = appendHeaders(c.on, f.stream, f.flags&flagEndStream, []byte{0x80}) // an index of 0: the server refuses it, too
		return nil
	}
	fresh := f.stream > c.last.Load() && f.stream%2 == 1
	switch {
	case fresh:
		c.last.Store(f.stream)
		if c.hit(b, f, priority, now) {
			return c.answer(b, f.stream)
		}
		if f.has(flagEndStream) && hasConnectionField(c.fields.list) && !c.left.Load() {
			return c.refuse(b, f.stream)
		}
		c.theirs = f.stream
		c.opened(f.stream, f.has(flagEndStream))
	case c.isOurs(f.stream):
		return c.fail(codeStreamClosed)
	case f.has(flagEndStream) && c.has(f.stream):
		c.ended(f.stream, clientEnd)
	}
	c.forward(f, priority)
	return nil
}

// forward hands a header section to the server, in literals: its table isn't the client's.
func (c *H2Conn) forward(f frame, priority []byte) {
	text := append([]byte(nil), priority...)
	for _, h := range c.fields.list {
		kind := byte(literalPlain)
		if h.Sensitive {
			kind = literalNever
		}
		text = appendLiteral(text, kind, h.Name, h.Value)
	}
	c.on = appendHeaders(c.on, f.stream, f.flags&(flagEndStream|flagPriority), text)
}

// hit finds what answers the request that was decoded. Its place is then the last one of b.
func (c *H2Conn) hit(b *batch, f frame, priority []byte, now time.Time) bool {
	if c.shy || !f.has(flagEndStream) || priority != nil && dependsOn(priority) == f.stream || c.left.Load() {
		return false
	}
	<-c.began // the server's SETTINGS are the first frame
	x := b.add(Request{VIP: c.server.VIP, Protocol: "h2", Client: c.client, TLS: c.tls, At: now, Room: min(c.credit, c.window, maxHit)})
	x.request.Fields = b.fields[len(b.fields):]
	if !x.request.decode(c.fields.list) || x.request.size() > c.server.Header || !c.server.Finder.Find(&x.request, &x.answer) {
		b.drop()
		return false
	}
	b.fields = append(b.fields, x.request.Fields...) // where they are already, as long as there is room
	return true
}

// refuse resets a stream whose request is malformed. The server would answer 400 where RFC 9113 §8.1.1 wants a stream error;
// a request with content is left to it, since frames of that are under way.
func (c *H2Conn) refuse(b *batch, stream uint32) error {
	<-c.began // the server's SETTINGS are the first frame
	c.used = true
	b.out = appendReset(b.out, stream, codeProtocol)
	return c.spill(b)
}

// hasConnectionField tells whether a header section has a field that belongs to a connection of H1, RFC 9113 §8.2.2.
func hasConnectionField(list []hpack.HeaderField) bool {
	return slices.ContainsFunc(list, isConnectionField)
}

func isConnectionField(f hpack.HeaderField) bool {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	case "te":
		return f.Value != "trailers"
	}
	return false
}

// dependsOn is the stream that a stream depends on, of which the server refuses one (RFC 7540 §5.3.1).
func dependsOn(priority []byte) uint32 {
	return uint32(priority[0]&0x7f)<<24 | uint32(priority[1])<<16 | uint32(priority[2])<<8 | uint32(priority[3])
}

// decode makes the request of a header section, RFC 9113 §8.3.1. It isn't ok unless it is one as browsers send them: what
// is wrong with others the server says.
func (r *Request) decode(list []hpack.HeaderField) bool {
	scheme, rest := "", list
	for len(rest) > 0 && strings.HasPrefix(rest[0].Name, ":") {
		f := rest[0]
		rest = rest[1:]
		var once *string
		switch f.Name {
		case ":method":
			once = &r.Method
		case ":scheme":
			once = &scheme
		case ":authority":
			once = &r.Host
		case ":path":
			once = &r.Target
		}
		if once == nil || *once != "" {
			return false
		}
		*once = f.Value
	}
	if r.Method != "GET" && r.Method != "HEAD" || scheme != "https" || r.Host == "" || !validTarget(r.Target) || len(rest) > maxFields {
		return false
	}
	return r.decodeFields(rest)
}

func (r *Request) decodeFields(list []hpack.HeaderField) bool {
	cookie := -1
	for _, f := range list {
		if !validName(f.Name) || !validValue(f.Value) || isConnectionField(f) {
			return false
		}
		switch {
		case f.Name == "te": // it says trailers, which an answer without trailers meets
			continue
		case f.Name == "cookie" && cookie >= 0: // in parts, RFC 9113 §8.2.3
			r.Fields[cookie].Value += "; " + f.Value
			continue
		case f.Name == "cookie":
			cookie = len(r.Fields)
		}
		r.Fields = append(r.Fields, Field{f.Name, f.Value})
	}
	return true
}

// validName tells whether a name is a token in lower case, RFC 9113 §8.2.1.
func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isTokenChar[c] || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return s != ""
}

// validValue tells whether a value has no control character but tab, and no white space around it.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return s == "" || !isBlank(s[0]) && !isBlank(s[len(s)-1])
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
