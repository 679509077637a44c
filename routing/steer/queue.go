package steer

import (
	"net"
	"net/netip"
	"sync"
)

// queueLen is how many datagrams may wait for one socket's reader: quic-go holds as many before it drops.
const queueLen = 1024

// queue holds what came for a socket otherwise than by the socket. Its methods may be called concurrently.
type queue struct {
	mu          sync.Mutex // guards the following fields
	ring        [queueLen]queued
	head, count int
	from        netip.AddrPort // whom addr is
	addr        *net.UDPAddr   // shared by datagrams that follow each other; quic-go never writes to it
}

// queued is a datagram that waits. Its room is used again.
type queued struct {
	addr *net.UDPAddr
	ecn  uint8
	data []byte
}

// push copies a datagram; false: there is no room.
func (q *queue) push(from netip.AddrPort, ecn uint8, data []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == queueLen {
		return false
	}
	if q.addr == nil || q.from != from {
		q.from, q.addr = from, net.UDPAddrFromAddrPort(from)
	}
	slot := &q.ring[(q.head+q.count)%queueLen]
	slot.addr, slot.ecn, slot.data = q.addr, ecn, append(slot.data[:0], data...)
	q.count++
	return true
}

// pop hands the oldest to take, which must not keep its data; false: there is none.
func (q *queue) pop(take func(queued)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 {
		return false
	}
	slot := &q.ring[q.head]
	take(*slot)
	slot.addr = nil
	q.head = (q.head + 1) % queueLen
	q.count--
	return true
}

// len is how many wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}
