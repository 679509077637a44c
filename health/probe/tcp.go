package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// maxAnswer bounds what is read of an answer that may be anybody's.
const maxAnswer = 64 << 10

// dial connects to a from the same address. Where it isn't this host's that fails at once; otherwise the packets, and
// the token with them, would go to whichever host the anycast address leads to.
func dial(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.Addr(), 0)),
		KeepAlive: -1, // the connection lives for one request
	}
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, "tcp", a.String())
}

func (s Self) shake(ctx context.Context, conn net.Conn) (net.Conn, error) {
	c := tls.Client(conn, s.tlsConfig("http/1.1"))
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls handshake: %w", timeout(ctx, err))
	}
	return c, nil
}

// exchange sends the request on conn and judges the answer.
func (s Self) exchange(ctx context.Context, conn net.Conn, scheme string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	r := s.request(ctx, scheme)
	if err := r.Write(conn); err != nil {
		return fmt.Errorf("send the request: %w", timeout(ctx, err))
	}
	limited := &limitedReader{conn: conn, left: maxAnswer}
	answer, err := http.ReadResponse(bufio.NewReader(limited), r)
	if err != nil {
		return fmt.Errorf("read the answer: %w", timeout(ctx, err))
	}
	defer answer.Body.Close()
	return s.judge(answer)
}

var errLongAnswer = errors.New("the answer is too long to be ours")

type limitedReader struct {
	conn net.Conn
	left int
}

func (l *limitedReader) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLongAnswer
	}
	n, err := l.conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// hint says what to look at after err.
func hint(a netip.AddrPort, err error) string {
	onHost := fmt.Sprintf("is the address on an interface of this host? ip address add %s/%d dev lo", a.Addr(), a.Addr().BitLen())
	switch {
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL),
		errors.Is(err, syscall.EINVAL): // from a loopback address to one that isn't
		return onHost
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time: the node is overloaded, a packet filter drops it, or the address is elsewhere: " + onHost
	}
	return ""
}
