package rescue

import (
	"errors"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// dontProbe ends TCP_REPAIR without a window probe (TCP_REPAIR_OFF_NO_WP).
const dontProbe = -1

// mark gives a connection the timestamps of c.
func mark(conn *net.TCPConn, c code) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var markErr error
	if err := raw.Control(func(fd uintptr) { markErr = markSocket(int(fd), c) }); err != nil {
		return err
	}
	return markErr
}

// markSocket sets a socket's clock, which the kernel allows only to who repairs it. The end of the repair takes
// SO_REUSEADDR, without which nobody could bind the port anew while the connection is there.
func markSocket(fd int, c code) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1); err != nil {
		return err
	}
	was, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_TIMESTAMP)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_TIMESTAMP, int(c.stamp(clock(time.Now()), uint32(was))))
	}
	return errors.Join(err,
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, dontProbe),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
}
