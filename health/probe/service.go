package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// Service is one probe of a service that is announced with a VIP, but served by another program of this host. It is a
// value: Check may be called concurrently.
type Service struct {
	VIP string
	Options
}

// Check asks once. It ends with ctx or after Timeout, leaves nothing open or running, and returns nil or what is wrong.
func (s Service) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	var err error
	switch k := s.kinds()[0]; k {
	case kindDNS:
		err = s.checkDNS(ctx)
	case kindTCP, kindTLS:
		err = s.connect(ctx, k == kindTLS)
	case kindHTTP:
		err = s.checkHTTP(ctx)
	case kindExec:
		err = s.checkExec(ctx)
	}
	switch err = timeout(ctx, err); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("probe of %s: nothing within %s: %w", s.target(), s.Timeout, context.DeadlineExceeded)
	}
	return fmt.Errorf("probe of %s: %w", s.target(), err)
}

// target is what is asked, in words.
func (s Service) target() string {
	switch s.kinds()[0] {
	case kindDNS:
		return fmt.Sprintf("dns %s for %s over %s", s.DNS, s.Query, s.Transport)
	case kindTCP:
		return "tcp " + s.TCP
	case kindTLS:
		return "tls " + s.TLS
	case kindHTTP:
		return s.HTTP
	}
	return strings.Join(s.Exec, " ")
}

// connect opens a connection, and shakes hands where it is TLS.
func (s Service) connect(ctx context.Context, secure bool) error {
	address := s.TCP
	if secure {
		address = s.TLS
	}
	conn, err := dialer().DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !secure {
		return nil
	}
	if err := tls.Client(conn, s.tlsConfig(address)).HandshakeContext(ctx); err != nil {
		return fmt.Errorf("tls handshake: %w", err)
	}
	return nil
}

func (s Service) tlsConfig(address string) *tls.Config {
	name := s.ServerName
	if name == "" {
		name = hostName(address)
	}
	return Self{ServerName: name}.tlsConfig()
}

// hostName is the host of an address, unless that is an IP address.
func hostName(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return ""
	}
	return host
}

// dialer opens connections that live for one question.
func dialer() *net.Dialer {
	d := &net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(false)
	return d
}
