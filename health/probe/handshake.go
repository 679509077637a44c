package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Hello is what a client says in a handshake.
type Hello struct {
	ServerName string
	Roots      *x509.CertPool // whom it trusts; nil: the system's
	ECH        []byte         // the ECHConfigList from DNS; nil: its hello isn't encrypted
}

// Handshake is what a client gets.
type Handshake struct {
	Transport string         `json:"transport"` // tcp or quic
	Address   netip.AddrPort `json:"address"`
	Error     string         `json:"error,omitempty"` // why there was no handshake; nothing else is known then
	Version   string         `json:"version,omitempty"`
	Suite     string         `json:"suite,omitempty"`
	Curve     string         `json:"curve,omitempty"`
	ALPN      string         `json:"alpn,omitempty"`
	ECH       bool           `json:"ech"`     // the hello was encrypted, and understood
	Stapled   bool           `json:"stapled"` // an OCSP response came along
	// AsksForCertificate tells that the client was asked for a certificate. It shows none.
	AsksForCertificate bool          `json:"asks_for_certificate"`
	Chain              []Link        `json:"chain,omitempty"`
	Mistrust           string        `json:"mistrust,omitempty"` // why a client with these roots would refuse the chain
	Took               time.Duration `json:"took_ns"`
}

// Link is one certificate of a chain.
type Link struct {
	Subject  string    `json:"subject"`
	Names    []string  `json:"names,omitempty"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
}

// ShakeTCP makes a handshake as a browser does over TCP, and closes the connection.
func ShakeTCP(ctx context.Context, a netip.AddrPort, h Hello) Handshake {
	return h.shake("tcp", a, func(c *tls.Config) (tls.ConnectionState, error) {
		c.NextProtos = []string{"h2", "http/1.1"}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.String())
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		t := tls.Client(conn, c)
		if err := t.HandshakeContext(ctx); err != nil {
			return tls.ConnectionState{}, timeout(ctx, err)
		}
		return t.ConnectionState(), nil
	})
}

// ShakeQUIC is ShakeTCP over QUIC.
func ShakeQUIC(ctx context.Context, a netip.AddrPort, h Hello) Handshake {
	return h.shake("quic", a, func(c *tls.Config) (tls.ConnectionState, error) {
		c.NextProtos = []string{http3.NextProtoH3}
		conn, err := quic.DialAddr(ctx, a.String(), c, quicConfig(ctx))
		if err != nil {
			return tls.ConnectionState{}, timeout(ctx, err)
		}
		defer func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") }()
		return conn.ConnectionState().TLS, nil
	})
}

func (h Hello) shake(transport string, a netip.AddrPort, dial func(*tls.Config) (tls.ConnectionState, error)) Handshake {
	got := Handshake{Transport: transport, Address: a}
	began := time.Now()
	lowest := uint16(tls.VersionTLS12)
	if h.ECH != nil {
		lowest = tls.VersionTLS13 // ECH is its extension
	}
	state, err := dial(&tls.Config{
		MinVersion: lowest, ServerName: h.ServerName, EncryptedClientHelloConfigList: h.ECH, SessionTicketsDisabled: true,
		InsecureSkipVerify: true, // what is wrong with the chain is told, not an end
		// A client that was told of another ECH key has to see the public name's certificate.
		EncryptedClientHelloRejectionVerify: func(tls.ConnectionState) error { return nil },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			got.AsksForCertificate = true
			return &tls.Certificate{}, nil
		},
	})
	got.Took = time.Since(began)
	if err != nil {
		got.Error = err.Error()
		if errors.As(err, new(*tls.ECHRejectionError)) {
			got.Error = "the node doesn't know the ECH key: " + err.Error()
		}
		return got
	}
	got.fill(&state)
	if err := h.trust(state.PeerCertificates); err != nil {
		got.Mistrust = err.Error()
	}
	return got
}

func (got *Handshake) fill(s *tls.ConnectionState) {
	got.Version, got.Suite = tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite)
	got.Curve, got.ALPN = s.CurveID.String(), s.NegotiatedProtocol
	got.ECH, got.Stapled = s.ECHAccepted, len(s.OCSPResponse) > 0
	for _, c := range s.PeerCertificates {
		got.Chain = append(got.Chain, Link{Subject: c.Subject.String(), Names: c.DNSNames, Issuer: c.Issuer.String(), NotAfter: c.NotAfter})
	}
}

// trust says why a client would refuse a chain.
func (h Hello) trust(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("no certificate was sent")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: h.ServerName, Roots: h.Roots, Intermediates: between}); err != nil {
		return fmt.Errorf("verify the certificate of %s: %w", subject(chain[0]), err)
	}
	return nil
}
