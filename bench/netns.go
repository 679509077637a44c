package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mtu is that of Ethernet. With loopback's own of 65536, QUIC's datagrams and TCP's segments would be larger than any net's.
const mtu = 1500

// bringUpLoopback readies a new network namespace: netdevice(7).
func bringUpLoopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("ready loopback: %w", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint32(mtu)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, lo); err != nil {
		return fmt.Errorf("give loopback an MTU of %d: %w", mtu, err)
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, lo); err != nil {
		return fmt.Errorf("read the flags of loopback: %w", err)
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	return nil
}
