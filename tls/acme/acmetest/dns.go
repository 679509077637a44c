package acmetest

import (
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// DNS is what authorities ask: every name has the same addresses, each query another one.
type DNS struct {
	address string

	mu        sync.Mutex // guards the following fields
	addresses []string
	asked     int
}

// StartDNS starts a server that answers over TCP, until the test's end.
func StartDNS(t testing.TB, addresses ...string) *DNS {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	n := &DNS{address: l.Addr().String(), addresses: addresses}
	s := &dns.Server{Listener: l, Handler: n}
	go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
	t.Cleanup(func() { _ = s.Shutdown() })
	return n
}

// Address is where it answers.
func (n *DNS) Address() string { return n.address }

// Lead gives every name other addresses from now on.
func (n *DNS) Lead(addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses, n.asked = addresses, 0
}

// ServeDNS answers one query.
func (n *DNS) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		n.mu.Lock()
		a := n.addresses[n.asked%len(n.addresses)]
		n.asked++
		n.mu.Unlock()
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.ParseIP(a)}}
	}
	_ = w.WriteMsg(m) // a client that has gone asks again
}
