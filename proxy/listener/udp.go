package listener

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// udpBuffer is what a QUIC socket's buffers should hold: 7 MiB are 56 ms at 1 Gbit/s, as quic-go asks for.
const udpBuffer = 7 << 20

// udpConn is the socket under a quic.Transport. quic-go ends a connection at any error of a write but EMSGSIZE; while a
// route is being replaced that would be all of them. So errors that pass are counted and the packet is lost, which QUIC
// repairs.
//
// Embedding *net.UDPConn keeps what quic-go looks for: batches, ECN, segmentation offload.
type udpConn struct {
	*net.UDPConn
	dropped prometheus.Counter
}

// passing are the errors of a host whose routes or filters change. EMSGSIZE and EIO are not among them: quic-go learns
// the path's MTU and the lack of segmentation offload from those.
var passing = []syscall.Errno{
	syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.ENOBUFS, syscall.EPERM, syscall.ECONNREFUSED,
}

func (c *udpConn) WriteMsgUDP(b, oob []byte, a *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = c.UDPConn.WriteMsgUDP(b, oob, a)
	if err != nil && passes(err) {
		c.dropped.Inc()
		return len(b), len(oob), nil
	}
	return n, oobn, err
}

func passes(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains(passing, errno)
}

// enlarge raises the buffers of an address's sockets, and says once what to do where the host doesn't let it.
func enlarge(workers []*net.UDPConn, log *slog.Logger) {
	var read, write int
	var err error
	for _, conn := range workers {
		read, write, err = raiseBuffers(conn, udpBuffer) // the same of each
	}
	if err == nil && read >= udpBuffer && write >= udpBuffer {
		return
	}
	// quic-go would say the same to the standard logger, once.
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	log.Warn("the buffers of the QUIC sockets are small, bursts will be lost: sysctl -w net.core.rmem_max=7340032 net.core.wmem_max=7340032",
		"address", workers[0].LocalAddr().String(), "receive", read, "send", write, "wanted", udpBuffer, "error", err)
}
