package steer

import (
	"net"

	"golang.org/x/net/ipv4"
)

const (
	intakeLen    = 8         // messages read at a time, as many as quic-go asks for
	intakeBuffer = 64 * 1024 // of each: what the kernel hands over together is no longer
	controlLen   = 128       // of what the kernel says of each
)

// intake reads datagrams in batches and takes apart those that the kernel hands over together. Its owner is one goroutine.
type intake struct {
	conn     *ipv4.PacketConn // it reads IPv6 as well
	messages []ipv4.Message
	current  int // in messages
	// The following are of the current one.
	rest    []byte
	segment int
	ecn     uint8
	addr    *net.UDPAddr
}

func newIntake(conn *net.UDPConn) *intake {
	in := &intake{conn: ipv4.NewPacketConn(conn), messages: make([]ipv4.Message, intakeLen)}
	for i := range in.messages {
		in.messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, intakeBuffer)}, OOB: make([]byte, controlLen)}
	}
	in.messages = in.messages[:0]
	return in
}

// empty says whether there is nothing left of what was read.
func (in *intake) empty() bool { return len(in.rest) == 0 && in.current >= len(in.messages) }

// read reads when nothing is left of what was read before.
func (in *intake) read(flags int) error {
	all := in.messages[:intakeLen]
	n, err := in.conn.ReadBatch(all, flags)
	in.messages, in.current = all[:max(n, 0)], 0
	if err != nil {
		in.messages = all[:0]
	}
	return err
}

// next returns the next datagram, nil for none; it stays until the next read. ecn and addr are of it.
func (in *intake) next() []byte {
	for len(in.rest) == 0 {
		if in.current >= len(in.messages) {
			return nil
		}
		m := &in.messages[in.current]
		in.current++
		in.rest = m.Buffers[0][:m.N]
		in.ecn, in.segment = parseControl(m.OOB[:m.NN])
		in.addr, _ = m.Addr.(*net.UDPAddr) // of a UDP socket it is one
	}
	n := len(in.rest)
	if in.segment > 0 {
		n = min(n, in.segment)
	}
	data := in.rest[:n]
	in.rest = in.rest[n:]
	return data
}
