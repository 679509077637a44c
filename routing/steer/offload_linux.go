package steer

import (
	"encoding/binary"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supported says whether this system has what steering needs.
const supported = true

// dontWait makes a read return at once.
const dontWait = unix.MSG_DONTWAIT

// receiveTogether has the kernel hand over datagrams of one sender together (UDP_GRO), with the congestion marks that
// they came with.
func receiveTogether(conn *net.UDPConn, v6 bool) error {
	if v6 {
		if err := setInt(conn, unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1); err != nil {
			return err
		}
	} else if err := setInt(conn, unix.IPPROTO_IP, unix.IP_RECVTOS, 1); err != nil {
		return err
	}
	_ = setInt(conn, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // before Linux 5.0 there is none: they come one by one
	return nil
}

// setFragments says whether what is sent may be fragmented. Where it may not, the kernel's own idea of the path's MTU
// counts for nothing.
func setFragments(conn *net.UDPConn, v6, may bool) error {
	level, option, value := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if v6 {
		level, option, value = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	if may {
		value = unix.IP_PMTUDISC_DONT // IPv6 has the same number
	}
	return setInt(conn, level, option, value)
}

func setInt(conn *net.UDPConn, level, option, value int) error {
	c, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var optionErr error
	if err := c.Control(func(fd uintptr) { optionErr = unix.SetsockoptInt(int(fd), level, option, value) }); err != nil {
		return err
	}
	return optionErr
}

// parseControl returns what the kernel says of what was read: the congestion marks, and the length of each datagram but
// the last, 0 where there is one.
func parseControl(oob []byte) (ecn uint8, segment int) {
	for len(oob) > 0 {
		h, body, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return ecn, segment
		}
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TOS && len(body) > 0:
			ecn = body[0] & ecnMask
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_TCLASS && len(body) >= 4:
			ecn = uint8(binary.NativeEndian.Uint32(body)) & ecnMask
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(body) >= 4:
			segment = int(binary.NativeEndian.Uint32(body))
		}
		oob = rest
	}
	return ecn, segment
}

// putMarks writes the congestion marks into oob as the kernel would, and returns the length.
func putMarks(oob []byte, v6 bool, ecn uint8) int {
	if v6 {
		b := control(oob[:0], unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 4)
		binary.NativeEndian.PutUint32(b[unix.CmsgLen(0):], uint32(ecn))
		return len(b)
	}
	b := control(oob[:0], unix.IPPROTO_IP, unix.IP_TOS, 1)
	b[unix.CmsgLen(0)] = ecn
	return len(b)
}

// appendSegment has the kernel cut what is sent into datagrams of size octets (UDP_SEGMENT).
func appendSegment(oob []byte, size int) []byte {
	n := len(oob)
	oob = control(oob, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2)
	binary.NativeEndian.PutUint16(oob[n+unix.CmsgLen(0):], uint16(size))
	return oob
}

// control appends a control message of so many octets, all zero.
func control(oob []byte, level, option, length int) []byte {
	n := len(oob)
	oob = append(oob, make([]byte, unix.CmsgSpace(length))...)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[n])) // the kernel's own layout of it
	h.Level, h.Type = int32(level), int32(option)
	h.SetLen(unix.CmsgLen(length))
	return oob
}

// writeNow sends a message by a Unix socket, or returns EAGAIN where there is no room.
func writeNow(conn *net.UnixConn, b []byte) error {
	c, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = c.Write(func(fd uintptr) bool {
		sendErr = unix.Sendmsg(int(fd), b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return true
	})
	if err != nil {
		return err
	}
	return sendErr
}
