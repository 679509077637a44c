package rescue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Of the kernel's interface, include/uapi/linux/inet_diag.h and sock_diag.h.
const (
	diagByFamily  = 20 // SOCK_DIAG_BY_FAMILY
	diagLen       = 8 + 48
	diagPorts     = 8
	diagSource    = diagPorts + 4
	diagTarget    = diagSource + 16
	diagCookie    = diagTarget + 16 + 4
	diagState     = 1 // of struct inet_diag_msg
	netlinkHeader = 16
)

// has asks the kernel whether it has a connection.
func (d *tunDevice) has(f flow) (bool, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return false, err
	}
	defer unix.Close(s)
	if err := unix.Sendto(s, diagRequest(f), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, err
	}
	b := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, b, 0) // the kernel has answered before Sendto returned
	if err != nil {
		return false, err
	}
	return parseDiag(b[:n])
}

// diagRequest asks for the one socket of a connection.
func diagRequest(f flow) []byte {
	b := make([]byte, netlinkHeader+diagLen)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], diagByFamily)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[netlinkHeader:]
	r[0], r[1] = family(f.vip.Addr()), unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(r[4:], ^uint32(0)) // in any state
	binary.BigEndian.PutUint16(r[diagPorts:], f.vip.Port())
	binary.BigEndian.PutUint16(r[diagPorts+2:], f.client.Port())
	copy(r[diagSource:], f.vip.Addr().AsSlice())
	copy(r[diagTarget:], f.client.Addr().AsSlice())
	binary.NativeEndian.PutUint64(r[diagCookie:], ^uint64(0)) // any
	return b
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// parseDiag says whether an answer is of a connection. A listener is found where there is none.
func parseDiag(b []byte) (bool, error) {
	if len(b) < netlinkHeader+4 {
		return false, errors.New("sock_diag: a short answer")
	}
	switch kind := binary.NativeEndian.Uint16(b[4:]); kind {
	case diagByFamily:
		state := b[netlinkHeader+diagState]
		return state != stateListens, nil
	case unix.NLMSG_ERROR:
		errno := unix.Errno(-int32(binary.NativeEndian.Uint32(b[netlinkHeader:])))
		if errno == unix.ENOENT {
			return false, nil
		}
		return false, fmt.Errorf("sock_diag: %w", errno)
	default:
		return false, fmt.Errorf("sock_diag: an answer of type %d", kind)
	}
}
