package bfd

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// waiting reads past the net package, whose reader is woken late while the processors are busy with other goroutines: it
// waits in the poller, and a goroutine that a timer wakes doesn't.
func (s *socket) waiting(take func(received)) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return // closed
	}
	data, more := make([]byte, 512), make([]byte, 128)
	_ = raw.Control(func(fd uintptr) { // fails once it is closed
		for {
			n, control, _, from, err := unix.Recvmsg(int(fd), data, more, unix.MSG_DONTWAIT)
			if err != nil {
				return // nothing more, or what read will report
			}
			take(received{address(from), s.hops(more[:control]), data[:n]})
		}
	})
}

func address(from unix.Sockaddr) netip.Addr {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr)
		if dev, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
			return addr.WithZone(dev.Name)
		}
		return addr
	}
	return netip.Addr{}
}
