//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Sockets that belong to a host can be opened by the test's own process: a socket stays in the namespace of the
// thread that made it.

// Dial connects from the host; the address is IP:port, since the lab has no DNS.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var c net.Conn
	err := h.inside(func() (err error) {
		c, err = (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen accepts connections on the host.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	var ln net.Listener
	err := h.inside(func() (err error) {
		ln, err = net.Listen(network, address)
		return err
	})
	return ln, err
}

// ListenPacket opens a packet socket on the host, for a QUIC client for example.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	var c net.PacketConn
	err := h.inside(func() (err error) {
		c, err = net.ListenPacket(network, address)
		return err
	})
	return c, err
}

// inside calls f on a thread that is in the host's namespace. Goroutines that f starts are not.
func (h *Host) inside(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- insideNamespace(h.path(), f) }()
	return <-done
}

// insideNamespace leaves its thread locked where it can't bring it home, so that the thread ends with the goroutine.
func insideNamespace(path string, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open(path)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", path, err)
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, fmt.Errorf("leave %s: %w", path, back))
	}
	runtime.UnlockOSThread()
	return err
}
