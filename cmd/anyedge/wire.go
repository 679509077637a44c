package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/steer"
	edgetls "github.com/anyedge/anyedge/tls"
)

// wireVersion is of what two processes say to each other. Another version is refused, before anything has changed.
const wireVersion = 1

// step is what a message between two processes is about.
type step string

// The steps of an upgrade, in their order; the old process says those of the left.
//
//	offer  ─►                 the sockets, and what connections rest on
//	       ◄─ ready           the configuration is good, everything is bound
//	take   ─►                 the old one accepts and reads no more
//	       ◄─ proven          the new one serves through its VIPs
//	lead   ─►                 the old one has stopped deciding
//	       ◄─ leads
//	draining ─► … drained ─►  what the old one still serves
const (
	stepOffer    step = "offer"
	stepReady    step = "ready"
	stepTake     step = "take"
	stepProven   step = "proven"
	stepLead     step = "lead"
	stepLeads    step = "leads"
	stepDraining step = "draining"
	stepDrained  step = "drained"

	stepRefused step = "refused" // by the new one, at any time before leads
	stepPurge   step = "purge"   // by either
	stepPurged  step = "purged"  // its answer
	stepFinish  step = "finish"  // by the new one: the node stops, the old one finishes as it does
)

// message is one thing that a process says to the other.
type message struct {
	Step    step     `json:"step"`
	Error   string   `json:"error,omitempty"`
	Sockets []string `json:"sockets,omitempty"` // what the sockets that come with it are called, in their order

	Offer *offer `json:"offer,omitempty"`
	Ready *ready `json:"ready,omitempty"`
	Lead  *lead  `json:"lead,omitempty"`

	Connections int                 `json:"connections,omitempty"`
	Purge       *cache.PurgeRequest `json:"purge,omitempty"`
	ID          uint64              `json:"id,omitempty"` // of a purge
}

// offer is what the new process needs to build itself.
type offer struct {
	Version    int                      `json:"version"`
	Node       string                   `json:"node"`
	Generation uint8                    `json:"generation"` // of the old process, in connection IDs
	Local      *steer.Keys              `json:"local,omitempty"`
	ID         steer.NodeID             `json:"id"`
	Peers      []steer.Peer             `json:"peers,omitempty"`
	Tokens     []byte                   `json:"tokens"`
	Tickets    edgetls.RandomTickets    `json:"tickets"`
	Levels     map[string]routing.Level `json:"levels"`
	PID        int                      `json:"pid"`
	Binary     string                   `json:"binary"` // its version
}

// ready is what the new process is, and wants of the sockets.
type ready struct {
	PID    int      `json:"pid"`
	Binary string   `json:"binary"`
	Taken  []string `json:"taken"`
}

// lead is what the new process needs to decide.
type lead struct {
	Decisions json.RawMessage `json:"decisions"`
	Loans     []bgp.Loan      `json:"loans"`          // with a socket each
	Move      bool            `json:"move,omitempty"` // their sessions, one after the other
}

// wire carries messages and sockets between two processes. send may be called concurrently, receive by one goroutine.
type wire struct {
	conn    *net.UnixConn
	sending sync.Mutex
}

// maxMessage bounds what is read: the largest is a purge of many URLs.
const maxMessage = 4 << 20

// sendLimit is how long the other process may leave unread what is sent: it reads on a goroutine of its own, but for the offer,
// which waits for its start.
const sendLimit = 10 * time.Second

// send sends a message with sockets, which stay open here.
func (w *wire) send(m *message, sockets ...syscall.Conn) error {
	return w.sendWithin(sendLimit, m, sockets...)
}

// sendWithin is send within a time. With an error the wire is closed, since the other process may have got half a message.
func (w *wire) sendWithin(limit time.Duration, m *message, sockets ...syscall.Conn) (err error) {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w.sending.Lock()
	defer w.sending.Unlock()
	defer func() {
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = fmt.Errorf("it doesn't read within %s what is sent to it", limit)
		case errors.Is(err, syscall.EPIPE):
			err = errGone
		}
		if err != nil {
			_ = w.conn.Close()
		}
	}()
	if err := w.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := w.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		return err
	}
	for _, s := range sockets {
		if err := w.sendSocket(s); err != nil {
			return fmt.Errorf("hand over a socket: %w", err)
		}
	}
	return nil
}

// sendSocket sends a socket as it is. A File of it wouldn't do: to pass that on would make it block, for both processes.
func (w *wire) sendSocket(s syscall.Conn) error {
	c, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = c.Control(func(fd uintptr) {
		_, _, sendErr = w.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, sendErr)
}

// receive reads the next message, and the sockets that come with it, which are the caller's.
func (w *wire) receive() (*message, []*os.File, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		return nil, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, nil, fmt.Errorf("a message of %d octets", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(w.conn, b); err != nil {
		return nil, nil, err
	}
	m := &message{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, nil, err
	}
	var sockets []*os.File
	for _, name := range m.Sockets {
		f, err := w.receiveSocket(name)
		if err != nil {
			for _, f := range sockets {
				_ = f.Close()
			}
			return nil, nil, fmt.Errorf("take over the socket %s: %w", name, err)
		}
		sockets = append(sockets, f)
	}
	return m, sockets, nil
}

func (w *wire) receiveSocket(name string) (*os.File, error) {
	var one [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := w.conn.ReadMsgUnix(one[:], oob)
	if err != nil {
		return nil, err
	}
	list, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("%d control messages: %w", len(list), err)
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("%d descriptors: %w", len(fds), err)
	}
	return os.NewFile(uintptr(fds[0]), name), nil
}

// unixPair returns both ends of a connection between two processes: SOCK_STREAM or SOCK_SEQPACKET.
func unixPair(kind int) (a, b *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|pairKind, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	a, errA := unixConn(os.NewFile(uintptr(fds[0]), "pair"))
	b, errB := unixConn(os.NewFile(uintptr(fds[1]), "pair"))
	return a, b, errors.Join(errA, errB)
}

// unixConn makes a connection of f, which is closed.
func unixConn(f *os.File) (*net.UnixConn, error) {
	if f == nil {
		return nil, errors.New("a socket is missing")
	}
	c, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is no Unix socket", f.Name()), c.Close())
	}
	return u, nil
}
