package origin

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/anyedge/anyedge/proxy/origin/h1"
	"github.com/anyedge/anyedge/proxy/origin/h2"
)

// Bounds of a transport that nobody needs to set.
const (
	idlePerServer  = 256              // idle H1 connections kept to one server
	tcpKeepAlive   = 15 * time.Second // finds connections that a firewall forgot
	expectContinue = time.Second      // how long a server may think about Expect: 100-continue
	maxHeader      = 1 << 20          // of a response, in bytes
	sessionCache   = 64               // TLS sessions to one server
)

// newTransport returns what speaks to one server: H2 where the options and h2 allow, else H1 alone.
func newTransport(u *url.URL, o Options, roots *x509.CertPool, id *identity, h2 bool) *http.Transport {
	t := &http.Transport{
		Proxy:                  nil, // the environment's proxies are for clients
		DialContext:            (&dialer{local: o.LocalAddress, timeout: o.ConnectTimeout, resolver: o.Resolver}).dial,
		TLSClientConfig:        tlsConfig(u, o, roots, id),
		TLSHandshakeTimeout:    o.ConnectTimeout,
		DisableCompression:     true, // the content passes as it is
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    idlePerServer,
		IdleConnTimeout:        o.KeepAlive,
		ResponseHeaderTimeout:  o.FirstByteTimeout,
		ExpectContinueTimeout:  expectContinue,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              new(http.Protocols),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: tcpKeepAlive, PingTimeout: o.ConnectTimeout},
	}
	t.Protocols.SetHTTP1(!h2 || !o.H2C || u.Scheme == "https")
	t.Protocols.SetHTTP2(h2 && o.HTTP2)
	t.Protocols.SetUnencryptedHTTP2(h2 && o.H2C && u.Scheme == "http")
	return t
}

// newPlain returns what speaks H1 to a server for requests without content, nil where H2 alone is spoken.
func newPlain(u *url.URL, o Options, roots *x509.CertPool, id *identity) *h1.Client {
	if u.Scheme != "https" && o.H2C {
		return nil
	}
	c := &h1.Client{
		Handshake: o.ConnectTimeout, FirstByte: o.FirstByteTimeout, Idle: o.IdleTimeout, KeepAlive: o.KeepAlive,
		MaxIdle: idlePerServer, MaxHeader: maxHeader,
	}
	c.Dial, c.TLS = newDial(u, o), newTLS(u, o, roots, id, "http/1.1")
	return c
}

// newMultiplexed returns what speaks H2 to a server for requests without content, nil where that isn't offered.
func newMultiplexed(u *url.URL, o Options, roots *x509.CertPool, id *identity) *h2.Client {
	if u.Scheme == "https" && !o.HTTP2 || u.Scheme != "https" && !o.H2C {
		return nil
	}
	c := &h2.Client{
		Handshake: o.ConnectTimeout, FirstByte: o.FirstByteTimeout, Idle: o.IdleTimeout, KeepAlive: o.KeepAlive,
		Quiet: tcpKeepAlive, Pong: o.ConnectTimeout, MaxHeader: maxHeader,
	}
	c.Dial, c.TLS = newDial(u, o), newTLS(u, o, roots, id, "h2", "http/1.1")
	return c
}

// newDial returns what connects to a server.
func newDial(u *url.URL, o Options) func(context.Context) (net.Conn, error) {
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	address := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	d := &dialer{local: o.LocalAddress, timeout: o.ConnectTimeout, resolver: o.Resolver}
	return func(ctx context.Context) (net.Conn, error) { return d.dial(ctx, "tcp", address) }
}

// newTLS returns what a connection to a server has over it, offering those protocols; nil: nothing.
func newTLS(u *url.URL, o Options, roots *x509.CertPool, id *identity, protocols ...string) *tls.Config {
	if u.Scheme != "https" {
		return nil
	}
	c := tlsConfig(u, o, roots, id)
	c.NextProtos = protocols
	return c
}

func tlsConfig(u *url.URL, o Options, roots *x509.CertPool, id *identity) *tls.Config {
	name := o.TLS.ServerName
	if name == "" {
		name = u.Hostname()
	}
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            roots,
		ServerName:         name,
		ClientSessionCache: tls.NewLRUClientSessionCache(sessionCache),
	}
	id.attach(c)
	return c
}

// readRoots returns the authorities in file, or nil for the system's.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return roots, nil
}

// dialer connects from the node's own address.
type dialer struct {
	local    netip.Addr
	timeout  time.Duration
	resolver *net.Resolver
}

// dial connects to address. Names are resolved at each call. The local address binds to servers of its own family; to
// the others the kernel chooses.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	plain := net.Dialer{Timeout: d.timeout, KeepAlive: tcpKeepAlive, Resolver: d.resolver}
	if !d.binds(address) {
		return plain.DialContext(ctx, network, address)
	}
	bound := plain
	bound.LocalAddr = &net.TCPAddr{IP: d.local.AsSlice()}
	c, err := bound.DialContext(ctx, network, address)
	var none *net.AddrError
	if errors.As(err, &none) { // the name has no address of the family
		return plain.DialContext(ctx, network, address)
	}
	return c, err
}

// binds says whether connections to address come from the local one: not to an address of the other family.
func (d *dialer) binds(address string) bool {
	if !d.local.IsValid() {
		return false
	}
	to, err := netip.ParseAddrPort(address)
	return err != nil || to.Addr().Unmap().Is4() == d.local.Is4()
}
