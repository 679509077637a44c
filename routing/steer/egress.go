package steer

import (
	"errors"
	"net/netip"
	"syscall"
)

const (
	// maxSegments is how many datagrams the kernel sends at a time (UDP_MAX_SEGMENTS was 64 before Linux 6.9).
	maxSegments = 64
	// maxBurst is how many octets: an IP packet of theirs can't be longer than 64 KiB.
	maxBurst = 60_000
)

// egress encrypts datagrams for their owners and sends those to one peer together. Its owner is one goroutine.
type egress struct {
	send  func(b, oob []byte, to netip.AddrPort) error
	oob   []byte
	peer  *peer
	buf   []byte
	size  int // of each but the last
	count int
	short bool // the last one is shorter: nothing may follow it
}

func newEgress(send func(b, oob []byte, to netip.AddrPort) error) *egress {
	return &egress{send: send, buf: make([]byte, 0, maxBurst+2048)}
}

// add takes a client's datagram for p. It is sent with the next flush at the latest.
func (e *egress) add(p *peer, h header, client netip.AddrPort, data []byte) {
	size := headerLen + clientLen4 + len(data) + tagLen
	if client.Addr().Is6() {
		size += clientLen6 - clientLen4
	}
	e.begin(p, size)
	e.buf = p.pair.appendDatagram(e.buf, p.stamp(h), client, data)
}

// addSegment is add for an IP packet of a TCP connection.
func (e *egress) addSegment(p *peer, packet []byte) {
	e.begin(p, headerLen+len(packet)+tagLen)
	e.buf = p.pair.appendMessage(e.buf, p.stamp(header{kind: segment}), packet)
}

// begin makes room for a message of size octets, which follows.
func (e *egress) begin(p *peer, size int) {
	if e.count > 0 && (e.peer != p || e.short || size > e.size || e.count == maxSegments || len(e.buf)+size > maxBurst) {
		e.flush()
	}
	if e.count == 0 {
		e.peer, e.size = p, size
	}
	e.short = size < e.size
	e.count++
}

// flush sends what there is.
func (e *egress) flush() {
	if e.count == 0 {
		return
	}
	p := e.peer
	together := e.count > 1 && e.size <= p.room()
	if together {
		e.oob = appendSegment(e.oob[:0], e.size)
		err := e.send(e.buf, e.oob, p.Tunnel)
		together = !refusesSegments(err)
		if together && err != nil {
			p.state.sendErrors.Add(uint64(e.count))
		}
	}
	if !together {
		e.sendEach()
	}
	p.state.forwarded.Add(uint64(e.count))
	p.state.forwardedBytes.Add(uint64(len(e.buf)))
	e.buf, e.count, e.short, e.peer = e.buf[:0], 0, false, nil
}

// sendEach sends one by one; the kernel may fragment them then.
func (e *egress) sendEach() {
	for b := e.buf; len(b) > 0; {
		n := min(len(b), e.size)
		if e.send(b[:n], nil, e.peer.Tunnel) != nil {
			e.peer.state.sendErrors.Add(1)
		}
		b = b[n:]
	}
}

// refusesSegments says whether err means that the interface or the path's MTU doesn't let datagrams be sent together.
func refusesSegments(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EMSGSIZE)
}
