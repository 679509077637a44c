package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// sockets are the bound sockets of a VIP, in the order of its addresses.
type sockets struct {
	https []*net.TCPListener
	quic  [][]*net.UDPConn // by address, then by worker
	http  []*net.TCPListener
}

// bind binds every socket of o that isn't inherited, or none, with so many workers for QUIC at each address; the error has
// every problem.
func bind(o Options, workers int, in *Inherited) (*sockets, error) {
	s := &sockets{}
	var errs []error
	for _, a := range o.Addresses {
		if o.HTTPS != 0 {
			errs = append(errs, s.bindHTTPS(netip.AddrPortFrom(a, o.HTTPS), workers, in))
		}
		if o.HTTP != 0 {
			ln, err := bindTCP(netip.AddrPortFrom(a, o.HTTP), in)
			if err == nil {
				s.http = append(s.http, ln)
			}
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sockets) bindHTTPS(a netip.AddrPort, workers int, in *Inherited) error {
	ln, tcpErr := bindTCP(a, in)
	if tcpErr == nil {
		s.https = append(s.https, ln)
	}
	conns, udpErr := bindQUIC(a, workers, in)
	if udpErr == nil {
		s.quic = append(s.quic, conns)
	}
	return errors.Join(tcpErr, udpErr)
}

func (s *sockets) close() {
	for _, ln := range s.https {
		_ = ln.Close()
	}
	for _, workers := range s.quic {
		closeAll(workers)
	}
	for _, ln := range s.http {
		_ = ln.Close()
	}
}

func (s *sockets) addrs() []net.Addr {
	var list []net.Addr
	for _, ln := range s.https {
		list = append(list, ln.Addr())
	}
	for _, workers := range s.quic {
		list = append(list, workers[0].LocalAddr())
	}
	for _, ln := range s.http {
		list = append(list, ln.Addr())
	}
	return list
}

// bindTCP binds a without Multipath TCP, Go's default: a second path of the client's may lead to another node of the
// same address, and there is no such connection.
func bindTCP(a netip.AddrPort, in *Inherited) (*net.TCPListener, error) {
	if ln, err := in.tcp(a); ln != nil || err != nil {
		return ln, err
	}
	lc := net.ListenConfig{Control: freebind}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), "tcp"+family(a), a.String())
	if err != nil {
		return nil, bindError(a, "tcp", err)
	}
	return ln.(*net.TCPListener), nil
}

// bindQUIC binds so many sockets to a, which share its datagrams: the kernel chooses by both addresses (SO_REUSEPORT), so
// that a client's come to one while its address stays.
//
// The option would let two processes have the port, each with a part of the packets. So the first socket is bound without
// it, which fails where anyone has the port, with the option or without; and only then it is set, for the others to join.
// A program of the same user that asks for the port with the option after that would get it; a second anyedge doesn't.
// (Without SO_REUSEADDR too, which says for UDP what SO_REUSEPORT does. net.Listen sets it for TCP, where it only allows to
// bind beside closed connections.)
//
// Where they are inherited there are as many as there were: one that nobody read would keep what comes to it.
func bindQUIC(a netip.AddrPort, workers int, in *Inherited) ([]*net.UDPConn, error) {
	if all, err := in.udp(a); all != nil || err != nil {
		return all, err
	}
	first, err := bindUDP(a, freebind)
	if err != nil {
		return nil, err
	}
	all := []*net.UDPConn{first}
	if workers > 1 {
		if err := share(first); err != nil {
			return nil, errors.Join(bindError(a, "udp", err), first.Close())
		}
	}
	for len(all) < workers {
		c, err := bindUDP(a, freebindShared)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func closeAll(conns []*net.UDPConn) {
	for _, c := range conns {
		_ = c.Close()
	}
}

func bindUDP(a netip.AddrPort, options func(network, address string, c syscall.RawConn) error) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: options}
	conn, err := lc.ListenPacket(context.Background(), "udp"+family(a), a.String())
	if err != nil {
		return nil, bindError(a, "udp", err)
	}
	return conn.(*net.UDPConn), nil
}

// family makes an IPv6 socket take IPv6 alone (IPV6_V6ONLY).
func family(a netip.AddrPort) string {
	if a.Addr().Unmap().Is4() {
		return "4"
	}
	return "6"
}

// bindError says what to do about err.
func bindError(a netip.AddrPort, protocol string, err error) error {
	what := fmt.Sprintf("listen on %s/%s", a, protocol)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		flag := protocol[:1] // ss -t or ss -u
		return fmt.Errorf("%s: the port is in use: see by whom: ss -ln%sp 'sport = :%d': %w", what, flag, a.Port(), err)
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%s: no permission for ports below 1024 as uid %d: give CAP_NET_BIND_SERVICE "+
			"(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE; or setcap cap_net_bind_service=+ep on the binary), "+
			"or sysctl net.ipv4.ip_unprivileged_port_start=%d: %w", what, os.Getuid(), a.Port(), err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: the address is not on this host: ip address add %s/%d dev lo: %w",
			what, a.Addr(), a.Addr().BitLen(), err)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%s: this host has no IPv%s: %w", what, family(a), err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
