package proxy

import (
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"

	"github.com/anyedge/anyedge/proxy/origin"
)

// outgoing is the request to the origin that r becomes. r is the client's, or one that the cache made of it.
func (f *Forwarder) outgoing(r *http.Request) *http.Request {
	out := &http.Request{
		Method: r.Method, URL: originURL(r.URL), Host: r.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.Header.Clone(), Body: r.Body, ContentLength: r.ContentLength,
	}
	if out.Header == nil {
		out.Header = http.Header{}
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	f.addTrailers(out, r)
	f.announce(out.Header, r)
	return out.WithContext(r.Context())
}

// originURL is the target alone; the pool adds the server.
func originURL(u *url.URL) *url.URL {
	target := *u
	target.Scheme, target.Host, target.User, target.Fragment = "", "", nil, ""
	return &target
}

// announce puts into h who asks, how, and by which way.
func (f *Forwarder) announce(h http.Header, r *http.Request) {
	for _, field := range f.announced(r) {
		h[field.Name] = []string{field.Value}
	}
}

// announced tells the origin who asks, how, and by which way. The fields are in place of r's.
func (f *Forwarder) announced(r *http.Request) []origin.Field {
	ex := exchangeFrom(r.Context())
	client, scheme := clientAddress(r.RemoteAddr), ex.scheme(r)
	fields := make([]origin.Field, 0, announcedFields)
	fields = append(fields,
		origin.Field{Name: "X-Forwarded-For", Value: client},
		origin.Field{Name: "X-Forwarded-Proto", Value: scheme},
		origin.Field{Name: "X-Forwarded-Host", Value: r.Host},
		origin.Field{Name: "Forwarded", Value: "for=" + forwardedNode(client) + ";host=" + quoted(r.Host) + ";proto=" + scheme},
		origin.Field{Name: "Via", Value: withMember(r.Header["Via"], f.via.of(r.ProtoMajor, r.ProtoMinor))},
		origin.Field{Name: loopField, Value: withMember(r.Header[loopField], f.node)},
	)
	if _, ok := r.Header["User-Agent"]; !ok {
		fields = append(fields, origin.Field{Name: "User-Agent"}) // net/http would send its own
	}
	return fields
}

// announcedFields is how many there are at most.
const announcedFields = 7

// withMember is a list field with one more member, as one line.
func withMember(lines []string, member string) string {
	if len(lines) == 0 {
		return member
	}
	return strings.Join(lines, ", ") + ", " + member
}

// vias are a node's members of Via, by the version of the message. Those of the usual ones are made once.
type vias struct {
	node            string
	h1, h10, h2, h3 string
}

func newVias(node string) vias {
	return vias{node: node, h1: "1.1 " + node, h10: "1.0 " + node, h2: "2.0 " + node, h3: "3.0 " + node}
}

func (v *vias) of(major, minor int) string {
	switch 10*major + minor {
	case 11:
		return v.h1
	case 10:
		return v.h10
	case 20:
		return v.h2
	case 30:
		return v.h3
	}
	return httpDigits(major, minor) + " " + v.node
}

// httpDigits is a version as Via has it.
func httpDigits(major, minor int) string { return strconv.Itoa(major) + "." + strconv.Itoa(minor) }

// clientAddress is the address without the port; "unknown" where there is none.
func clientAddress(remoteAddr string) string {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return "unknown"
	}
	if ap.Addr().Is4() { // there is one way to write it
		return remoteAddr[:strings.LastIndexByte(remoteAddr, ':')]
	}
	return ap.Addr().Unmap().WithZone("").String()
}

// forwardedNode is an address as Forwarded has it (RFC 7239 §6).
func forwardedNode(client string) string {
	if strings.Contains(client, ":") {
		return `"[` + client + `]"`
	}
	return client
}

// quoted is host as a parameter's value: a colon is no part of a token. Hosts hold no quotes or backslashes.
func quoted(host string) string {
	if strings.Contains(host, ":") {
		return `"` + host + `"`
	}
	return host
}

// addTrailers makes out carry the trailers that r announces. The server sets them on the request that it handed us,
// when the content has been read; the pool sends what out holds by then. A content with trailers has to be chunked
// on H1, so its length is not told.
func (f *Forwarder) addTrailers(out, r *http.Request) {
	inbound := exchangeFrom(r.Context()).inbound
	if len(r.Trailer) == 0 || inbound == nil || out.Body == nil || out.Body == http.NoBody {
		return
	}
	out.Trailer = make(http.Header, len(r.Trailer))
	for key := range r.Trailer {
		if httpguts.ValidTrailerHeader(key) && !isSpoofed(key) { // a trailer may only add (RFC 9110 §6.5.1)
			out.Trailer[key] = nil
		}
	}
	out.ContentLength = -1
	out.Header.Del("Content-Length")
	out.Body = &trailedContent{ReadCloser: out.Body, inbound: inbound, trailer: out.Trailer}
}

// trailedContent copies the announced trailers when the content ends.
type trailedContent struct {
	io.ReadCloser
	inbound *http.Request
	trailer http.Header
	once    sync.Once
}

func (c *trailedContent) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err == io.EOF { //nolint:errorlint // io.Reader returns io.EOF itself
		c.once.Do(c.copy)
	}
	return n, err
}

func (c *trailedContent) copy() {
	for key := range c.trailer {
		if lines := c.inbound.Trailer[key]; len(lines) > 0 {
			c.trailer[key] = lines
		}
	}
}
