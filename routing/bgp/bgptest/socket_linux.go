package bgptest

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// ipv6MinHopCount is IPV6_MINHOPCOUNT of <linux/in6.h>, which x/sys lacks.
const ipv6MinHopCount = 73

// control sets what o asks of the listener; accepted connections inherit it.
func (o *Options) control(c syscall.RawConn) error {
	var err error
	controlErr := c.Control(func(fd uintptr) {
		if o.Password != "" {
			err = errors.Join(err, signWith(int(fd), o.Address, o.Password))
		}
		if o.GTSM {
			err = errors.Join(err, requireNextDoor(int(fd), o.Address))
		}
	})
	return errors.Join(controlErr, err)
}

// signWith makes the socket take and send segments signed with password, to and from all loopback addresses.
func signWith(fd int, a netip.Addr, password string) error {
	sig := unix.TCPMD5Sig{Flags: unix.TCP_MD5SIG_FLAG_PREFIX, Keylen: uint16(len(password))}
	copy(sig.Key[:], password)
	if a.Is4() {
		sig.Addr.Family, sig.Prefixlen = unix.AF_INET, 8
		sig.Addr.Data[2] = 127 // after the port
	} else {
		sig.Addr.Family, sig.Prefixlen = unix.AF_INET6, 128
		loopback := netip.IPv6Loopback().As16()
		copy(sig.Addr.Data[6:], loopback[:]) // after port and flow label
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG_EXT, &sig); err != nil {
		return fmt.Errorf("TCP MD5: %w", err)
	}
	return nil
}

// requireNextDoor sends with the greatest TTL and takes no less (RFC 5082).
func requireNextDoor(fd int, a netip.Addr) error {
	const most = 255
	if a.Is4() {
		return errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, most),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, most),
		)
	}
	return errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, most),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, ipv6MinHopCount, most),
	)
}
