package h3

import (
	"context"
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

// requestContext ends with the stream, and has what the connection has.
type requestContext struct {
	context.Context
	values context.Context
}

// Value asks the stream's context first: context finds out that way that it can end with it.
func (c requestContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// plainMethod tells whether a request is GET or HEAD.
func plainMethod(list []hpack.HeaderField) bool {
	for _, f := range list {
		if f.Name == ":method" {
			return f.Value == http.MethodGet || f.Value == http.MethodHead
		}
	}
	return false
}

// pseudo are the pseudo-header fields of a request, RFC 9114, section 4.3.1, and RFC 9220.
type pseudo struct {
	method, scheme, authority, path, protocol string
	has                                       map[string]bool
}

func (p *pseudo) place(name string) *string {
	switch name {
	case ":method":
		return &p.method
	case ":scheme":
		return &p.scheme
	case ":authority":
		return &p.authority
	case ":path":
		return &p.path
	case ":protocol":
		return &p.protocol
	}
	return nil
}

// newRequest makes a request of a header section. The error is what RFC 9114, section 4.1.2, calls malformed.
func newRequest(list []hpack.HeaderField) (*http.Request, error) {
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
	r := &http.Request{Method: p.method, Proto: "HTTP/3.0", ProtoMajor: 3, Header: header, Host: p.authority, RequestURI: p.path}
	if r.ContentLength, err = contentLength(header); err != nil {
		return nil, err
	}
	if p.has[":protocol"] {
		r.Proto = p.protocol
	}
	if !p.has[":path"] {
		r.RequestURI, r.URL = p.authority, &url.URL{Host: p.authority}
	} else if r.URL, err = url.ParseRequestURI(p.path); err != nil {
		return nil, fmt.Errorf(":path: %w", err)
	}
	r.Trailer = announced(header)
	return r, nil
}

// readPseudo takes the pseudo-header fields off, which come first and once.
func readPseudo(list []hpack.HeaderField) (pseudo, []hpack.HeaderField, error) {
	p := pseudo{has: make(map[string]bool, 5)}
	for len(list) > 0 && list[0].IsPseudo() {
		f := list[0]
		place := p.place(f.Name)
		if place == nil || p.has[f.Name] || !httpguts.ValidHeaderFieldValue(f.Value) {
			return p, nil, fmt.Errorf("%q: unknown, there twice, or not a value", f.Name)
		}
		*place, p.has[f.Name] = f.Value, true
		list = list[1:]
	}
	return p, list, nil
}

// settleHost makes :authority what Host says, which it must not contradict.
func (p *pseudo) settleHost(hosts []string) error {
	if len(hosts) == 0 {
		return nil
	}
	if len(hosts) > 1 || p.has[":authority"] && p.authority != hosts[0] {
		return errors.New("more than one host")
	}
	if p.method != http.MethodConnect {
		p.authority = hosts[0]
	}
	return nil
}

func (p *pseudo) check() error {
	connect := p.method == http.MethodConnect
	extended := connect && p.has[":protocol"]
	switch {
	case !httpguts.ValidHeaderFieldName(p.method):
		return fmt.Errorf(":method is %q", p.method)
	case p.authority == "" || strings.Contains(p.authority, "@"):
		return fmt.Errorf(":authority is %q", p.authority)
	case connect && !extended && (p.has[":scheme"] || p.has[":path"]):
		return errors.New("CONNECT with a :scheme or a :path")
	case connect && !extended:
		return nil
	case p.has[":protocol"] && (!extended || !httpguts.ValidHeaderFieldName(p.protocol)):
		return fmt.Errorf(":protocol is %q with %s", p.protocol, p.method)
	case p.scheme == "":
		return errors.New("no :scheme")
	case !strings.HasPrefix(p.path, "/") && (p.method != http.MethodOptions || p.path != "*"):
		return fmt.Errorf(":path is %q", p.path)
	}
	return nil
}

// readFields reads what isn't pseudo: RFC 9114, section 4.2.
func readFields(list []hpack.HeaderField) (http.Header, error) {
	header := make(http.Header, len(list))
	values := make([]string, len(list)) // for all that come once
	for i, f := range list {
		if err := checkField(f); err != nil {
			return nil, err
		}
		name := http.CanonicalHeaderKey(f.Name)
		if present := header[name]; present != nil {
			header[name] = append(present, f.Value)
			continue
		}
		values[i] = f.Value
		header[name] = values[i : i+1 : i+1]
	}
	if cookies := header["Cookie"]; len(cookies) > 1 { // in parts, section 4.2.1
		header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	return header, nil
}

func checkField(f hpack.HeaderField) error {
	switch {
	case !httpguts.ValidHeaderFieldName(f.Name) || strings.ToLower(f.Name) != f.Name:
		return fmt.Errorf("a field's name is %q", f.Name)
	case !httpguts.ValidHeaderFieldValue(f.Value):
		return fmt.Errorf("%s has a value that is none", f.Name)
	case f.Name == "te" && f.Value != "trailers":
		return fmt.Errorf("te is %q", f.Value)
	}
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return fmt.Errorf("%s is H1's", f.Name)
	}
	return nil
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

// readTrailers reads a trailer section: RFC 9110, section 6.5.1.
func readTrailers(list []hpack.HeaderField) (http.Header, error) {
	for _, f := range list {
		if f.IsPseudo() || !httpguts.ValidTrailerHeader(http.CanonicalHeaderKey(f.Name)) {
			return nil, fmt.Errorf("%s in a trailer section", f.Name)
		}
	}
	return readFields(list)
}
