package listener

import (
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// freebind lets a socket be bound to an address that is on no interface yet.
func freebind(network, _ string, c syscall.RawConn) error {
	level, option := unix.IPPROTO_IP, unix.IP_FREEBIND
	if strings.HasSuffix(network, "6") {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_FREEBIND
	}
	return setInt(c, level, option, 1)
}

// share lets other sockets of this process be bound to conn's address from now on, and has the kernel spread what comes.
func share(conn *net.UDPConn) error {
	c, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return setInt(c, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

// freebindShared is freebind for a socket that joins others.
func freebindShared(network, address string, c syscall.RawConn) error {
	if err := setInt(c, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return err
	}
	return freebind(network, address, c)
}

// clampSegments has clients send segments of size octets at most, and is sent no longer ones (RFC 9293, section 3.7.1).
func clampSegments(ln *net.TCPListener, size int) error {
	c, err := ln.SyscallConn()
	if err != nil {
		return err
	}
	return setInt(c, unix.IPPROTO_TCP, unix.TCP_MAXSEG, size)
}

// raiseBuffers asks for buffers of size octets, beyond the host's limit if the process may (CAP_NET_ADMIN), and returns
// what it got.
func raiseBuffers(conn *net.UDPConn, size int) (read, write int, err error) {
	c, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	if read, err = raise(c, size, unix.SO_RCVBUF, unix.SO_RCVBUFFORCE); err != nil {
		return 0, 0, err
	}
	write, err = raise(c, size, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE)
	return read, write, err
}

func raise(c syscall.RawConn, size, option, force int) (int, error) {
	if setInt(c, unix.SOL_SOCKET, force, size) != nil {
		if err := setInt(c, unix.SOL_SOCKET, option, size); err != nil {
			return 0, err
		}
	}
	got, err := getInt(c, unix.SOL_SOCKET, option)
	return got / 2, err // the kernel doubles what it is asked for, for its own needs, and tells the double
}

func setInt(c syscall.RawConn, level, option, value int) error {
	var optionErr error
	if err := c.Control(func(fd uintptr) { optionErr = unix.SetsockoptInt(int(fd), level, option, value) }); err != nil {
		return err
	}
	return optionErr
}

func getInt(c syscall.RawConn, level, option int) (value int, err error) {
	var optionErr error
	if err := c.Control(func(fd uintptr) { value, optionErr = unix.GetsockoptInt(int(fd), level, option) }); err != nil {
		return 0, err
	}
	return value, optionErr
}
