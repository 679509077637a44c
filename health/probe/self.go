package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
)

// selfField is the field of the request, with the token, and of the answer, with the node's name.
const selfField = "Anyedge-Self"

// Self are the checks of one address of a VIP. It is a value: its methods may be called concurrently, leave nothing open
// and end with ctx, whose end is an error.
type Self struct {
	VIP   string
	Node  string // the name that the answer must bear
	Token string // what proves to the listener that we ask
	// ServerName is the host that is asked for, in SNI and Host, and that the certificate must cover. Empty: no SNI,
	// and any name will do.
	ServerName string
	// Certificate is what a site that asks its clients for a certificate is shown; nil: none.
	Certificate *tls.Certificate
	HTTPS       netip.AddrPort // TCP; the zero value: not checked, here and below
	QUIC        netip.AddrPort
	HTTP        netip.AddrPort
}

// Check sends one request over H1 and TLS. The certificate must be within its dates and cover ServerName; who issued it
// is not looked at, since private authorities are fine.
func (s Self) Check(ctx context.Context) error {
	if !s.HTTPS.IsValid() {
		return nil
	}
	conn, err := dial(ctx, s.HTTPS)
	if err != nil {
		return s.failed("https", s.HTTPS, err)
	}
	defer conn.Close()
	secure, err := s.shake(ctx, conn)
	if err != nil {
		return s.failed("https", s.HTTPS, err)
	}
	return s.failed("https", s.HTTPS, s.exchange(ctx, secure, "https"))
}

// CheckPlain sends one request over H1 without TLS; a port that redirects answers it alike.
func (s Self) CheckPlain(ctx context.Context) error {
	if !s.HTTP.IsValid() {
		return nil
	}
	conn, err := dial(ctx, s.HTTP)
	if err != nil {
		return s.failed("http", s.HTTP, err)
	}
	defer conn.Close()
	return s.failed("http", s.HTTP, s.exchange(ctx, conn, "http"))
}

// request is what is asked for.
func (s Self) request(ctx context.Context, scheme string) *http.Request {
	host := s.ServerName
	if host == "" {
		host = s.host(scheme)
	}
	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Scheme: scheme, Host: host, Path: "/"}, Host: host,
		Header: http.Header{selfField: {s.Token}, "User-Agent": {"anyedge-self-check"}},
		Close:  true,
	}
	return r.WithContext(ctx)
}

// host is the address as an authority, for a VIP whose sites have no names.
func (s Self) host(scheme string) string {
	if scheme == "http" {
		return s.HTTP.String()
	}
	if s.HTTPS.IsValid() {
		return s.HTTPS.String()
	}
	return s.QUIC.String()
}

// judge says whether an answer is ours.
func (s Self) judge(r *http.Response) error {
	_, _ = io.CopyN(io.Discard, r.Body, 4<<10) // a 204 has none
	name := r.Header.Get(selfField)
	switch {
	case name == "":
		return fmt.Errorf("answered %d without the field %s: another process or node has this address: see ss -lnptu", r.StatusCode, selfField)
	case name != s.Node:
		return fmt.Errorf("answered by node %s: the address leads away from this host: ip address add it to lo", name)
	case r.StatusCode != http.StatusNoContent:
		return fmt.Errorf("answered %d, not 204", r.StatusCode)
	}
	return nil
}

// failed names what was tried, on what, and what to do; nil stays nil.
func (s Self) failed(protocol string, a netip.AddrPort, err error) error {
	if err == nil {
		return nil
	}
	if hint := hint(a, err); hint != "" {
		return fmt.Errorf("self check of %s at %s: %w: %s", protocol, a, err, hint)
	}
	return fmt.Errorf("self check of %s at %s: %w", protocol, a, err)
}

// timeout says that ctx ended, in place of the error that this caused somewhere; nil stays nil.
func timeout(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
		return cause
	}
	return err
}
