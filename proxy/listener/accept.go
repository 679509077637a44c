package listener

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// How long accept waits after a passing error, for example for descriptors: from, up to.
const (
	acceptPause    = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// acceptor takes connections from one socket, each with a place in the gate. Without TLS it is the net.Listener of
// net/http; tlsListener puts a handshake between.
type acceptor struct {
	*net.TCPListener
	set     *connSet
	metrics *vipMetrics
	log     *slog.Logger
	ctx     context.Context // ends when the listener stops accepting
	rescue  Rescue          // nil: none
	pause   time.Duration
	rests   rests
}

// Accept waits for the next connection. It is called by one goroutine.
func (a *acceptor) Accept() (net.Conn, error) {
	c, err := a.accept()
	if err != nil {
		return nil, err
	}
	a.set.serve(c, H1)
	return c, nil
}

func (a *acceptor) accept() (*conn, error) {
	for {
		a.rests.begin(a.ctx)
		tcp, err := a.AcceptTCP()
		a.rests.end()
		switch {
		case err == nil:
			a.pause = 0
			if a.refuses(tcp) {
				continue
			}
			return a.admit(tcp)
		case a.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil, net.ErrClosed
		case errors.Is(err, os.ErrDeadlineExceeded): // PauseAccept
			continue
		}
		a.rest(err)
	}
}

// refuses resets a connection of a client that has as many as it may, which costs least: it waits for nothing.
func (a *acceptor) refuses(tcp *net.TCPConn) bool {
	if a.set.clients.Take(clientOf(tcp)) {
		return false
	}
	a.metrics.refused(overTCP)
	_ = tcp.SetLinger(0)
	_ = tcp.Close()
	return true
}

// clientOf is the address of a connection's client.
func clientOf(tcp *net.TCPConn) netip.Addr { return addressOf(tcp.RemoteAddr()) }

// addressOf is a peer's address; the zero one where a has none.
func addressOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// admit waits for the place of a connection that has its client's share.
func (a *acceptor) admit(tcp *net.TCPConn) (*conn, error) {
	if err := a.set.gate.enter(a.ctx); err != nil {
		a.set.clients.Give(clientOf(tcp))
		_ = tcp.Close()
		return nil, net.ErrClosed
	}
	if a.rescue != nil {
		a.rescue.Mark(tcp)
	}
	return a.set.add(tcp), nil
}

// rest waits after an error of accept(2), which passes: the client went away, or the host lacks something. A loop that
// ended there would leave a socket that is bound and dead.
func (a *acceptor) rest(err error) {
	a.metrics.acceptErrors.Inc()
	a.pause = min(max(2*a.pause, acceptPause), maxAcceptPause)
	if a.pause == acceptPause || a.pause == maxAcceptPause {
		a.log.Warn("accept: "+acceptHint(err), "address", a.Addr().String(), "error", err)
	}
	timer := time.NewTimer(a.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.ctx.Done():
	}
}

func acceptHint(err error) string {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return "no descriptors left: raise the limit (systemd: LimitNOFILE=1048576) or lower limits.connections"
	}
	return "trying again"
}
