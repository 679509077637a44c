//go:build !linux

package listener

import (
	"errors"
	"net"
	"syscall"
)

// freebind is for Linux; elsewhere the address must be on an interface.
func freebind(_, _ string, _ syscall.RawConn) error { return nil }

// share is for Linux; elsewhere there is one worker.
func share(*net.UDPConn) error { return errors.ErrUnsupported }

// freebindShared is freebind.
func freebindShared(network, address string, c syscall.RawConn) error {
	return freebind(network, address, c)
}

// clampSegments is for Linux, as every rescue is.
func clampSegments(*net.TCPListener, int) error { return nil }

// raiseBuffers asks for buffers of size octets.
func raiseBuffers(conn *net.UDPConn, size int) (read, write int, err error) {
	if err := conn.SetReadBuffer(size); err != nil {
		return 0, 0, err
	}
	return size, size, conn.SetWriteBuffer(size)
}
