package httpfield

import (
	"strconv"
	"strings"
)

// Kind is the type of a structured field's bare item, RFC 9651 §3.3.
type Kind uint8

// The kinds. Those that no field of a cache uses are recognised, so that a dictionary that holds them stays valid, but
// not evaluated.
const (
	KindOther Kind = iota // a byte sequence, date, display string or decimal
	KindBoolean
	KindInteger
	KindString
	KindToken
	KindInnerList
)

// Member is one member of a dictionary. Its parameters are checked and dropped.
type Member struct {
	Key  string
	Kind Kind
	Int  int64  // of an integer; 1 and 0 for a boolean
	Str  string // of a string or token; of an inner list what is inside the parentheses
}

// InnerStrings returns the strings of an inner list; ok is false for any other member, and when not all of them are strings.
func (m *Member) InnerStrings() (texts []string, ok bool) {
	if m.Kind != KindInnerList {
		return nil, false
	}
	p := sfParser{rest: strings.TrimLeft(m.Str, " ")}
	for p.rest != "" {
		var item Member
		if !p.value(&item) || item.Kind != KindString {
			return nil, false
		}
		texts = append(texts, item.Str)
		p.span(func(c byte) bool { return c == ' ' })
	}
	return texts, true
}

// ParseDictionary parses a dictionary, RFC 9651 §4.2.2; the lines of one field are joined by commas beforehand. A
// mistake anywhere makes the whole invalid. Of members with the same key the last counts.
func ParseDictionary(s string) ([]Member, bool) {
	p := sfParser{rest: strings.Trim(s, " ")}
	var members []Member
	for p.rest != "" {
		m, ok := p.member()
		if !ok || !p.separator() {
			return nil, false
		}
		members = replaceMember(members, m)
	}
	return members, true
}

// ParseList parses a list, RFC 9651 §4.2.1; the lines of one field are joined by commas beforehand. A mistake anywhere
// makes the whole invalid. Its members have no keys.
func ParseList(s string) ([]Member, bool) {
	p := sfParser{rest: strings.Trim(s, " ")}
	var members []Member
	for p.rest != "" {
		var m Member
		if !p.value(&m) || !p.separator() {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

func replaceMember(members []Member, m Member) []Member {
	for i := range members {
		if members[i].Key == m.Key {
			members[i] = m
			return members
		}
	}
	return append(members, m)
}

// sfParser is what is left to parse.
type sfParser struct{ rest string }

// take drops a character when it is the next one.
func (p *sfParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// span takes the characters that fit.
func (p *sfParser) span(fits func(c byte) bool) string {
	n := 0
	for n < len(p.rest) && fits(p.rest[n]) {
		n++
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

// separator takes the comma between members; the dictionary may not end with one.
func (p *sfParser) separator() bool {
	p.span(isOWS)
	if p.rest == "" {
		return true
	}
	if !p.take(',') {
		return false
	}
	p.span(isOWS)
	return p.rest != ""
}

func (p *sfParser) member() (m Member, ok bool) {
	if m.Key, ok = p.key(); !ok {
		return m, false
	}
	if !p.take('=') {
		m.Kind, m.Int = KindBoolean, 1
		return m, p.parameters()
	}
	return m, p.value(&m)
}

// value takes an item or inner list, with its parameters.
func (p *sfParser) value(m *Member) bool {
	if p.take('(') {
		return p.innerList(m) && p.parameters()
	}
	return p.item(m) && p.parameters()
}

func (p *sfParser) key() (string, bool) {
	if p.rest == "" || !isLower(p.rest[0]) && p.rest[0] != '*' {
		return "", false
	}
	return p.span(isKeyChar), true
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isKeyChar(c byte) bool {
	return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0
}

func (p *sfParser) parameters() bool {
	for p.take(';') {
		p.span(func(c byte) bool { return c == ' ' })
		if _, ok := p.key(); !ok {
			return false
		}
		if p.take('=') && !p.item(new(Member)) {
			return false
		}
	}
	return true
}

// innerList takes the rest of an inner list into m.
func (p *sfParser) innerList(m *Member) bool {
	begin := p.rest
	for {
		p.span(func(c byte) bool { return c == ' ' })
		m.Kind, m.Str = KindInnerList, begin[:len(begin)-len(p.rest)]
		if p.take(')') {
			return true
		}
		if !p.item(new(Member)) || !p.parameters() {
			return false
		}
		if p.rest == "" || p.rest[0] != ' ' && p.rest[0] != ')' {
			return false
		}
	}
}

// item takes a bare item into m.
func (p *sfParser) item(m *Member) bool {
	if p.rest == "" {
		return false
	}
	switch c := p.rest[0]; {
	case c == '"':
		return p.string(m)
	case c == '?':
		return p.boolean(m)
	case c == '-' || isDigit(c):
		return p.number(m)
	case c == '*' || isAlpha(c):
		m.Kind = KindToken
		m.Str = p.span(func(c byte) bool { return isTchar(c) || c == ':' || c == '/' })
		return true
	case c == '@':
		p.rest = p.rest[1:]
		return p.number(m) && m.setOther(m.Kind == KindInteger)
	case c == ':':
		return p.bytes() && m.setOther(true)
	case c == '%':
		p.rest = p.rest[1:]
		return p.string(m) && m.setOther(true)
	}
	return false
}

func (m *Member) setOther(ok bool) bool {
	m.Kind = KindOther
	return ok
}

func (p *sfParser) boolean(m *Member) bool {
	m.Kind = KindBoolean
	p.take('?')
	if p.take('1') {
		m.Int = 1
		return true
	}
	return p.take('0')
}

// number takes an integer of up to 15 digits, or a decimal of up to 12 and 3.
func (p *sfParser) number(m *Member) bool {
	negative := p.take('-')
	whole := p.span(isDigit)
	if p.take('.') {
		fraction := p.span(isDigit)
		return m.setOther(len(whole) >= 1 && len(whole) <= 12 && len(fraction) >= 1 && len(fraction) <= 3)
	}
	if len(whole) == 0 || len(whole) > 15 {
		return false
	}
	m.Kind = KindInteger
	m.Int, _ = strconv.ParseInt(whole, 10, 64) // 15 digits always fit
	if negative {
		m.Int = -m.Int
	}
	return true
}

func (p *sfParser) string(m *Member) bool {
	if !p.take('"') {
		return false
	}
	m.Kind = KindString
	var b []byte
	for p.rest != "" {
		c := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case c == '"':
			m.Str = string(b)
			return true
		case c == '\\':
			if p.rest == "" || p.rest[0] != '"' && p.rest[0] != '\\' {
				return false
			}
			c = p.rest[0]
			p.rest = p.rest[1:]
		case c < 0x20 || c > 0x7e:
			return false
		}
		b = append(b, c)
	}
	return false
}

func (p *sfParser) bytes() bool {
	p.take(':')
	p.span(func(c byte) bool { return isAlpha(c) || isDigit(c) || strings.IndexByte("+/=", c) >= 0 })
	return p.take(':')
}
