package load

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/quic-go/quic-go"
)

// dialer opens connections as a plan wants them.
type dialer struct {
	plan     *Plan
	recorder *recorder
	sessions tls.ClientSessionCache // nil: each handshake is whole
}

// tlsConfig offers AES-128-GCM with TLS 1.3, which Go prefers where the processor has AES, and X25519, so that every server
// is asked for the same.
func (d *dialer) tlsConfig(alpn string) *tls.Config {
	name := d.plan.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	return &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true, // loopback's certificates are nobody's; the signature is verified all the same
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
		NextProtos:         []string{alpn},
		ClientSessionCache: d.sessions,
	}
}

// tcp opens a connection, with TLS unless the protocol has none.
func (d *dialer) tcp(ctx context.Context, alpn string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.plan.Timeout)
	defer cancel()
	var dial net.Dialer
	c, err := dial.DialContext(ctx, "tcp", d.plan.Address)
	if err != nil {
		return nil, err
	}
	if d.plan.Protocol == Plain {
		d.recorder.connected(false)
		return c, nil
	}
	t := tls.Client(c, d.tlsConfig(alpn))
	if err := t.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	if got := t.ConnectionState().NegotiatedProtocol; got != alpn && alpn == "h2" {
		_ = c.Close()
		return nil, &failure{kind: "no h2", path: d.plan.Address}
	}
	d.recorder.connected(t.ConnectionState().DidResume)
	return t, nil
}

// Windows as browsers have them for one content, and more for the connection.
const (
	streamWindow     = 6 << 20
	connectionWindow = 15 << 20
)

func (d *dialer) quic(ctx context.Context) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.plan.Timeout)
	defer cancel()
	c, err := quic.DialAddr(ctx, d.plan.Address, d.tlsConfig("h3"), &quic.Config{
		HandshakeIdleTimeout:           d.plan.Timeout,
		MaxIdleTimeout:                 max(d.plan.Timeout, defaultTimeout),
		InitialStreamReceiveWindow:     streamWindow,
		MaxStreamReceiveWindow:         streamWindow,
		InitialConnectionReceiveWindow: connectionWindow,
		MaxConnectionReceiveWindow:     connectionWindow,
	})
	if err != nil {
		return nil, err
	}
	d.recorder.connected(c.ConnectionState().TLS.DidResume)
	return c, nil
}
