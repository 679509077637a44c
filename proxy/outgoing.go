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

// announce tells the origin who asks, how, and by which way.
func (f *Forwarder) announce(h http.Header, r *http.Request) {
	ex := exchangeFrom(r.Context())
	client, scheme := clientAddress(r.RemoteAddr), ex.scheme(r)
	h.Set("X-Forwarded-For", client)
	h.Set("X-Forwarded-Proto", scheme)
	h.Set("X-Forwarded-Host", r.Host)
	h.Set("Forwarded", "for="+forwardedNode(client)+";host="+quoted(r.Host)+";proto="+scheme)
	appendMember(h, "Via", httpDigits(r.ProtoMajor, r.ProtoMinor)+" "+f.node)
	appendMember(h, loopField, f.node)
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{""} // net/http would send its own
	}
}

// appendMember appends to a list field, as one line.
func appendMember(h http.Header, key, member string) {
	if lines := h[key]; len(lines) > 0 {
		member = strings.Join(lines, ", ") + ", " + member
	}
	h[key] = []string{member}
}

// httpDigits is a version as Via has it.
func httpDigits(major, minor int) string { return strconv.Itoa(major) + "." + strconv.Itoa(minor) }

// clientAddress is the address without the port; "unknown" where there is none.
func clientAddress(remoteAddr string) string {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return "unknown"
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
