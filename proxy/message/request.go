package message

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// pseudo are the pseudo-header fields of a request: RFC 9113, section 8.3.1, RFC 9114, section 4.3.1, and those of extended
// CONNECT, RFC 8441 and RFC 9220.
type pseudo struct {
	method, scheme, authority, path, protocol string
	has                                       present
}

// present are those that there are.
type present uint8

const (
	hasMethod present = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
)

func (p *pseudo) place(name string) (*string, present) {
	switch name {
	case ":method":
		return &p.method, hasMethod
	case ":scheme":
		return &p.scheme, hasScheme
	case ":authority":
		return &p.authority, hasAuthority
	case ":path":
		return &p.path, hasPath
	case ":protocol":
		return &p.protocol, hasProtocol
	}
	return nil, 0
}

// NewRequest makes a request of HTTP/major.0 of a header section. Its content, if it has any, is the caller's to set;
// ContentLength is what the field says, -1 without one. The :protocol of an extended CONNECT is its Proto. The error is what
// the RFCs call malformed.
func NewRequest(major int, list []hpack.HeaderField) (*http.Request, error) {
	p, list, err := readPseudo(list)
	if err != nil {
		return nil, err
	}
	header, err := readFields(list)
	if err != nil {
		return nil, err
	}
	if err := p.settleHost(header["Host"]); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	delete(header, "Host") // as net/http has it
	r := &http.Request{Method: p.method, Proto: version(major), ProtoMajor: major, Header: header, Host: p.authority, RequestURI: p.path}
	if r.ContentLength, err = contentLength(header); err != nil {
		return nil, err
	}
	if p.has&hasProtocol != 0 {
		r.Proto = p.protocol
	}
	if p.has&hasPath == 0 {
		r.RequestURI, r.URL = p.authority, &url.URL{Host: p.authority}
	} else if r.URL, err = url.ParseRequestURI(p.path); err != nil {
		return nil, fmt.Errorf(":path: %w", err)
	}
	r.Trailer = announced(header)
	return r, nil
}

func version(major int) string {
	if major == 2 {
		return "HTTP/2.0"
	}
	return "HTTP/3.0"
}

// readPseudo takes the pseudo-header fields off, which come first and once.
func readPseudo(list []hpack.HeaderField) (pseudo, []hpack.HeaderField, error) {
	var p pseudo
	for len(list) > 0 && list[0].IsPseudo() {
		f := list[0]
		place, bit := p.place(f.Name)
		if place == nil || p.has&bit != 0 || !httpguts.ValidHeaderFieldValue(f.Value) {
			return p, nil, fmt.Errorf("%q: unknown, there twice, or not a value", f.Name)
		}
		*place = f.Value
		p.has |= bit
		list = list[1:]
	}
	return p, list, nil
}

// settleHost makes :authority what Host says, which it must not contradict.
func (p *pseudo) settleHost(hosts []string) error {
	if len(hosts) == 0 {
		return nil
	}
	if len(hosts) > 1 || p.has&hasAuthority != 0 && p.authority != hosts[0] {
		return errors.New("more than one host")
	}
	if p.method != http.MethodConnect {
		p.authority = hosts[0]
	}
	return nil
}

func (p *pseudo) check() error {
	connect := p.method == http.MethodConnect
	extended := connect && p.has&hasProtocol != 0
	switch {
	case !httpguts.ValidHeaderFieldName(p.method):
		return fmt.Errorf(":method is %q", p.method)
	case p.authority == "" || strings.Contains(p.authority, "@") || !httpguts.ValidHostHeader(p.authority):
		return fmt.Errorf(":authority is %q", p.authority)
	case connect && !extended && p.has&(hasScheme|hasPath) != 0:
		return errors.New("CONNECT with a :scheme or a :path")
	case connect && !extended:
		return nil
	case p.has&hasProtocol != 0 && (!extended || !httpguts.ValidHeaderFieldName(p.protocol)):
		return fmt.Errorf(":protocol is %q with %s", p.protocol, p.method)
	case !validScheme(p.scheme):
		return fmt.Errorf(":scheme is %q", p.scheme)
	case !strings.HasPrefix(p.path, "/") && (p.method != http.MethodOptions || p.path != "*") || !visible(p.path):
		return fmt.Errorf(":path is %q", p.path)
	}
	return nil
}

// validScheme is of RFC 3986, section 3.1.
func validScheme(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

// visible tells whether s has neither spaces nor control characters, with which H1 to the origin would end a target. Octets
// above them are passed on, though RFC 3986 has them encoded.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// readFields reads what isn't pseudo: RFC 9113, section 8.2; RFC 9114, section 4.2.
func readFields(list []hpack.HeaderField) (http.Header, error) {
	header := make(http.Header, len(list))
	values := make([]string, len(list)) // for all that come once
	for i, f := range list {
		if err := checkField(f); err != nil {
			return nil, err
		}
		name := http.CanonicalHeaderKey(f.Name)
		f.Value = textproto.TrimString(f.Value) // as H1 has it; RFC 9113, section 8.2.1, doesn't allow more
		if present := header[name]; present != nil {
			header[name] = append(present, f.Value)
			continue
		}
		values[i] = f.Value
		header[name] = values[i : i+1 : i+1]
	}
	if cookies := header["Cookie"]; len(cookies) > 1 { // in parts, RFC 9113, section 8.2.3
		header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	return header, nil
}

func checkField(f hpack.HeaderField) error {
	switch {
	case !ValidName(f.Name):
		return fmt.Errorf("a field's name is %q", f.Name)
	case !httpguts.ValidHeaderFieldValue(f.Value):
		return fmt.Errorf("%s has a value that is none", f.Name)
	case IsConnectionField(f):
		return fmt.Errorf("%s with %q is H1's", f.Name, f.Value)
	}
	return nil
}

// ValidName tells whether a field's name is a token in lower case: RFC 9113, section 8.2.1; RFC 9114, section 4.2.
func ValidName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !httpguts.IsTokenRune(rune(c)) || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return name != ""
}

// IsConnectionField tells whether a field belongs to a connection of H1: RFC 9113, section 8.2.2; RFC 9114, section 4.2.
func IsConnectionField(f hpack.HeaderField) bool {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	case "te":
		return f.Value != "trailers"
	}
	return false
}

// contentLength is what the field says; -1 without one.
func contentLength(header http.Header) (int64, error) {
	values := header["Content-Length"]
	if len(values) == 0 {
		return -1, nil
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	for _, other := range values[1:] {
		if other != values[0] {
			return 0, fmt.Errorf("content-length is %q and %q", values[0], other)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("content-length is %q", values[0])
	}
	header["Content-Length"] = values[:1]
	return int64(n), nil
}

// announced takes out the names of the trailers to come, which have no value yet.
func announced(header http.Header) http.Header {
	lines, ok := header["Trailer"]
	if !ok {
		return nil
	}
	delete(header, "Trailer")
	trailers := http.Header{}
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			trailers[http.CanonicalHeaderKey(textproto.TrimString(name))] = nil
		}
	}
	return trailers
}

// ReadTrailers reads a trailer section: RFC 9110, section 6.5.1.
func ReadTrailers(list []hpack.HeaderField) (http.Header, error) {
	for _, f := range list {
		if f.IsPseudo() || !httpguts.ValidTrailerHeader(http.CanonicalHeaderKey(f.Name)) {
			return nil, fmt.Errorf("%s in a trailer section", f.Name)
		}
	}
	return readFields(list)
}
