package hitpath

import "strings"

// The form of a request that the loop takes, a part of RFC 9112 on which no two parsers differ:
//
//	(GET | HEAD) SP /target SP HTTP/1.1 CRLF
//	*( token ":" OWS value OWS CRLF )
//	CRLF
//
// with one Host and at most one Connection, without Content-Length, Transfer-Encoding and Expect, the target of visible ASCII
// characters without "#", and values without control characters but tab. Lines end in CRLF and nothing else.

// form is what a head turned out to be.
type form uint8

const (
	partial form = iota // so far nothing speaks against it, and its end is missing
	plain               // the form above, and Connection says nothing but keep-alive
	strict              // the form above, and it isn't answered from what is stored
	odd                 // anything else: it is net/http's, and where it ends isn't for us to say
)

// maxFields is how many field lines a request of the loop may have. Browsers send 10 to 25.
const maxFields = 64

const (
	headEnd   = "\r\n\r\n"
	lineEnd   = "\r\n"
	version   = " HTTP/1.1"
	keepAlive = "keep-alive"
)

// parse reads the head at the beginning of s, which becomes the request's, and returns how long it is. fields is where the
// request's fields are appended.
func (r *Request) parse(s string, fields []Field) (n int, f form) {
	method, f := methodOf(s)
	if f != plain {
		return 0, f
	}
	end := strings.Index(s, headEnd)
	if end < 0 {
		return 0, unfinished(s)
	}
	line, rest, _ := strings.Cut(s[:end+len(lineEnd)], lineEnd)
	target, ok := strings.CutSuffix(line[len(method)+1:], version)
	if !ok || !validTarget(target) {
		return 0, odd
	}
	r.Method, r.Target, r.Host, r.connection, r.Fields = method, target, "", "", fields
	return end + len(headEnd), r.parseFields(rest)
}

// methodOf returns the method of a head of which s is the beginning.
func methodOf(s string) (string, form) {
	for _, method := range [...]string{"GET", "HEAD"} {
		switch {
		case len(s) > len(method) && s[:len(method)] == method && s[len(method)] == ' ':
			return method, plain
		case len(s) <= len(method) && method[:len(s)] == s:
			return "", partial
		}
	}
	return "", odd
}

// unfinished is what a head is whose end hasn't come: odd as soon as it has an end of line that is none.
func unfinished(s string) form {
	for i := strings.IndexByte(s, '\n'); i >= 0; {
		if i == 0 || s[i-1] != '\r' {
			return odd
		}
		next := strings.IndexByte(s[i+1:], '\n')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return partial
}

func validTarget(t string) bool {
	if t == "" || t[0] != '/' {
		return false
	}
	for i := range len(t) {
		if t[i] <= ' ' || t[i] >= 0x7f || t[i] == '#' {
			return false
		}
	}
	return true
}

// parseFields reads field lines, each with its end.
func (r *Request) parseFields(lines string) form {
	f := plain
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, lineEnd)
		name, value, ok := cutField(line)
		if !ok {
			return odd
		}
		switch f = max(f, r.add(name, value)); {
		case f == odd:
			return odd
		case len(r.Fields) > maxFields:
			return odd
		}
	}
	if r.Host == "" {
		return odd
	}
	return f
}

// add notes a field, and returns what it makes of the request.
func (r *Request) add(name, value string) form {
	switch len(name) {
	case len("Host"):
		if strings.EqualFold(name, "Host") {
			return r.setHost(value)
		}
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			return r.setConnection(value)
		}
	case len("Expect"):
		if strings.EqualFold(name, "Expect") {
			return odd
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			return odd
		}
	case len("Transfer-Encoding"):
		if strings.EqualFold(name, "Transfer-Encoding") {
			return odd
		}
	}
	r.Fields = append(r.Fields, Field{name, value})
	return plain
}

func (r *Request) setHost(value string) form {
	if value == "" || r.Host != "" {
		return odd
	}
	r.Host = value
	return plain
}

// setConnection notes what Connection says. Who wants to change to another protocol may take the connection over.
func (r *Request) setConnection(value string) form {
	if value == "" || r.connection != "" || hasToken(value, "upgrade") {
		return odd
	}
	r.connection = value
	if strings.EqualFold(value, keepAlive) {
		return plain
	}
	return strict
}

// hasToken reports whether list, of tokens, has token, which is in lower case.
func hasToken(list, token string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.Trim(one, " \t"); len(one) == len(token) && strings.EqualFold(one, token) { // of ASCII alone
			return true
		}
	}
	return false
}

// cutField parts a field line. The name is a token, and the value holds no control character but tab.
func cutField(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	if !ok || name == "" {
		return "", "", false
	}
	for i := range len(name) {
		if !isTokenChar[name[i]] {
			return "", "", false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", false
		}
	}
	return name, strings.Trim(value, " \t"), true
}

// isTokenChar are the characters of a token, RFC 9110 §5.6.2.
var isTokenChar = func() (is [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		is[c] = true
	}
	return is
}()

// size is what the header section counts against the limit: RFC 9113 §6.5.2 has the overhead of a field.
func (r *Request) size() int64 {
	n := len(r.Target) + len(r.Host) + fieldOverhead
	for _, f := range r.Fields {
		n += len(f.Name) + len(f.Value) + fieldOverhead
	}
	return int64(n)
}

const fieldOverhead = 32
