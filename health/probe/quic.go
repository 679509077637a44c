package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// CheckQUIC sends one request over H3, on a socket of its own, with the same demands as Check.
func (s Self) CheckQUIC(ctx context.Context) error {
	if !s.QUIC.IsValid() {
		return nil
	}
	return s.failed("h3", s.QUIC, s.checkQUIC(ctx))
}

func (s Self) checkQUIC(ctx context.Context) error {
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.QUIC.Addr(), 0))) // as dial does
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer socket.Close()
	transport := &quic.Transport{Conn: socket}
	defer transport.Close()
	conn, err := transport.Dial(ctx, net.UDPAddrFromAddrPort(s.QUIC), s.tlsConfig(http3.NextProtoH3), quicConfig(ctx))
	if err != nil {
		return fmt.Errorf("quic handshake: %w", err)
	}
	defer func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") }()
	return s.exchangeH3(ctx, conn)
}

func (s Self) exchangeH3(ctx context.Context, conn *quic.Conn) error {
	h3 := &http3.Transport{DisableCompression: true, MaxResponseHeaderBytes: maxAnswer}
	defer h3.Close()
	r := s.request(ctx, "https")
	r.Close = false // H3 has no such thing
	answer, err := h3.NewClientConn(conn).RoundTrip(r)
	if err != nil {
		return fmt.Errorf("read the answer: %w", timeout(ctx, err))
	}
	defer answer.Body.Close()
	return s.judge(answer)
}

// quicConfig lets ctx alone end a handshake.
func quicConfig(ctx context.Context) *quic.Config {
	c := &quic.Config{}
	if deadline, ok := ctx.Deadline(); ok {
		c.HandshakeIdleTimeout = max(time.Until(deadline), 0) + time.Second
	}
	return c
}
