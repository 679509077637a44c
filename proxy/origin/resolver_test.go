package origin

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/anyedge/anyedge/health"
)

// Addresses are what a name server of a test answers for every name; without any, names don't exist.
type Addresses struct{ list atomic.Pointer[[]netip.Addr] }

// Set replaces them.
func (a *Addresses) Set(list ...string) *Addresses {
	var parsed []netip.Addr
	for _, s := range list {
		parsed = append(parsed, netip.MustParseAddr(s))
	}
	a.list.Store(&parsed)
	return a
}

// Resolver asks the name server, over pipes: so it works in a synctest bubble too.
func (a *Addresses) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go a.serve(server) // until the client closes
		return client, nil
	}}
}

// serve answers queries as over TCP, each behind its length.
func (a *Addresses) serve(c net.Conn) {
	defer c.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		reply := a.reply(query)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

func (a *Addresses) reply(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) == 0 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	if len(*a.list.Load()) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, addr := range *a.list.Load() {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case q.Type == dnsmessage.TypeA && addr.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: addr.As4()}})
		case q.Type == dnsmessage.TypeAAAA && addr.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// Connections are left behind when the name leaves an address, not when it gains one or can't be looked up.
func TestFollowsNames(t *testing.T) {
	// The first lookup of a process makes channels that are for all; in a bubble they would be the bubble's.
	if _, err := new(Addresses).Set("192.0.2.1").Resolver().LookupHost(t.Context(), "origin.example.com"); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		addresses := new(Addresses).Set("192.0.2.1")
		var o Options
		o.SetDefaults()
		o.Servers, o.Resolver = []string{"http://origin.example.com"}, addresses.Resolver()
		journal := health.NewJournal(10)
		p, err := New("shop", o, nil, journal, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		for _, c := range []struct {
			now   []string
			leave bool
		}{
			{[]string{"192.0.2.1"}, false},
			{[]string{"192.0.2.1", "192.0.2.2"}, false},
			{nil, false},
			{[]string{"192.0.2.2"}, true},
			{[]string{"192.0.2.2"}, false},
		} {
			before := p.servers[0].transports.Load()
			addresses.Set(c.now...)
			sleep(ctx, resolveInterval)
			synctest.Wait()
			if left := p.servers[0].transports.Load() != before; left != c.leave {
				t.Errorf("the name leads to %v: connections left behind: %v, want %v", c.now, left, c.leave)
			}
		}
		if events := journal.Since(0); len(events) != 1 {
			t.Errorf("events %v, want one", events)
		}
		cancel()
		<-done
	})
}
