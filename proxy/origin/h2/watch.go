package h2

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/anyedge/anyedge/proxy/h2/frame"
)

// watch ends what has taken too long: it is called when that may be, and sees to it that it is called again.
func (n *conn) watch() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return
	}
	now := time.Now()
	n.look = time.Time{}
	if n.places == 0 {
		if idle := now.Sub(n.idle); idle >= n.client.KeepAlive {
			n.depart(frame.NoError, net.ErrClosed)
			return
		}
		n.lookAt(n.idle.Add(n.client.KeepAlive))
		return
	}
	for _, s := range n.open {
		switch {
		case s.limit.IsZero():
		case now.Before(s.limit):
			n.lookAt(s.limit)
		default:
			s.giveUp(fmt.Errorf("the server sends nothing: %w", os.ErrDeadlineExceeded))
		}
	}
	n.watchServer(now)
	n.writeBeside()
}

// watchServer asks a server that has been quiet whether it is there, and ends the connection where it doesn't answer. n.mu is
// held.
func (n *conn) watchServer(now time.Time) {
	switch {
	case n.pinged.IsZero() && now.Sub(n.heard) >= n.client.Quiet:
		n.ping(now)
	case n.pinged.IsZero():
		n.lookAt(n.heard.Add(n.client.Quiet))
	case now.Sub(n.pinged) >= n.client.Pong:
		n.end(fmt.Errorf("the server doesn't answer a PING: %w", os.ErrDeadlineExceeded))
	default:
		n.lookAt(now.Add(min(n.client.Pong-now.Sub(n.pinged), n.client.Quiet)))
	}
}

// giveUp ends a stream that the server may go on with. n.mu is held.
func (s *stream) giveUp(err error) { s.reset(frame.Cancel, err) }
