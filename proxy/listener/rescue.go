package listener

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Rescue has segments of TCP connections that live at other nodes of the fleet go to them, and those of this node's come here.
type Rescue interface {
	// Serve begins to look at segments that come to vip, until end is called.
	Serve(vip netip.AddrPort) (end func(), err error)
	// MaxSegment is how long a client's segment to vip may be, in octets, so that it finds its way everywhere.
	MaxSegment(vip netip.Addr) int
	// Mark marks a connection, which was just accepted, as this node's.
	Mark(c *net.TCPConn)
}

// rescue begins to look after the connections of every TCP socket; endRescue ends it.
func (l *Listener) rescue() error {
	var ends []func()
	l.endRescue = func() {
		for _, end := range ends {
			end()
		}
	}
	if l.config.Rescue == nil {
		return nil
	}
	var errs []error
	for _, socket := range append(l.sockets.https[:len(l.sockets.https):len(l.sockets.https)], l.sockets.http...) {
		vip := socket.Addr().(*net.TCPAddr).AddrPort()
		if err := clampSegments(socket, l.config.Rescue.MaxSegment(vip.Addr())); err != nil {
			errs = append(errs, fmt.Errorf("listen on %v/tcp: limit segments: %w", vip, err))
		}
		end, err := l.config.Rescue.Serve(vip)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ends = append(ends, end)
	}
	return errors.Join(errs...)
}
