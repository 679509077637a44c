package listener

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
)

// Bound is a socket of a Listener, for the process that comes after this one.
type Bound struct {
	Name   string // tells what it is bound to: "tcp 192.0.2.1:443"; several may have the same, which share the address
	Socket syscall.Conn
}

// name is what a socket is called between two processes.
func name(network string, at netip.AddrPort) string {
	return network + " " + netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String()
}

// Bound lists the sockets, in the order in which they were bound.
func (l *Listener) Bound() (list []Bound) {
	for _, ln := range append(l.sockets.https[:len(l.sockets.https):len(l.sockets.https)], l.sockets.http...) {
		list = append(list, Bound{name("tcp", ln.Addr().(*net.TCPAddr).AddrPort()), ln})
	}
	for _, workers := range l.sockets.quic {
		for _, c := range workers {
			list = append(list, Bound{name("udp", c.LocalAddr().(*net.UDPAddr).AddrPort()), c})
		}
	}
	return list
}

// Inherited are sockets that the process before this one has bound, or a supervisor: a Listener takes those that it wants, and
// binds none of them anew. Its methods may be called concurrently.
type Inherited struct {
	mu    sync.Mutex // guards the following fields
	files map[string][]*os.File
	taken map[string]bool
}

// NewInherited returns an Inherited without sockets.
func NewInherited() *Inherited {
	return &Inherited{files: map[string][]*os.File{}, taken: map[string]bool{}}
}

// Add adds a socket by the name that it has in Bound. It belongs to i from now on.
func (i *Inherited) Add(name string, socket *os.File) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.files[name] = append(i.files[name], socket)
}

// AddBound is Add by what the socket is bound to. The error says why no Listener could use it; it is closed then.
func (i *Inherited) AddBound(socket *os.File) error {
	bound, err := boundTo(socket)
	if err != nil {
		return errors.Join(fmt.Errorf("take over socket %s: %w", socket.Name(), err), socket.Close())
	}
	i.Add(bound, socket)
	return nil
}

// boundTo is the name of a socket.
func boundTo(socket *os.File) (string, error) {
	if ln, err := net.FileListener(socket); err == nil {
		defer func() { _ = ln.Close() }() // a duplicate
		if a, ok := ln.Addr().(*net.TCPAddr); ok {
			return name("tcp", a.AddrPort()), nil
		}
	} else if c, err := net.FilePacketConn(socket); err == nil {
		defer func() { _ = c.Close() }()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			return name("udp", a.AddrPort()), nil
		}
	}
	return "", errors.New("it neither listens over TCP nor is bound over UDP")
}

// Left lists the names of the sockets that nobody has taken.
func (i *Inherited) Left() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Sorted(maps.Keys(i.files))
}

// Taken says whether a Listener has taken the sockets of that name.
func (i *Inherited) Taken(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.taken[name]
}

// Close closes what nobody has taken.
func (i *Inherited) Close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, files := range i.files {
		for _, f := range files {
			_ = f.Close() // who has bound it has it as well
		}
	}
	clear(i.files)
}

// take takes the sockets of a name, none where there are none; i may be nil.
func (i *Inherited) take(name string) []*os.File {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	files := i.files[name]
	delete(i.files, name)
	i.taken[name] = len(files) > 0
	return files
}

// tcp takes the socket that listens at a; nil where there is none.
func (i *Inherited) tcp(a netip.AddrPort) (*net.TCPListener, error) {
	var made *net.TCPListener
	for _, f := range i.take(name("tcp", a)) {
		ln, err := net.FileListener(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("take over %s/tcp: %w", a, err)
		}
		made = ln.(*net.TCPListener)
	}
	return made, nil
}

// udp takes the sockets that are bound to a, in their order; nil where there are none.
func (i *Inherited) udp(a netip.AddrPort) (all []*net.UDPConn, _ error) {
	var errs []error
	for _, f := range i.take(name("udp", a)) {
		c, err := net.FilePacketConn(f)
		if err == nil {
			all = append(all, c.(*net.UDPConn))
		}
		errs = append(errs, err, f.Close())
	}
	if err := errors.Join(errs...); err != nil {
		closeAll(all)
		return nil, fmt.Errorf("take over %s/udp: %w", a, err)
	}
	return all, nil
}
