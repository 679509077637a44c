package acmetest

import (
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// TSIGSecret is that of TSIGKey, in base64.
const (
	TSIGSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	TSIGKey    = "key \"acme-key\" {\n\talgorithm hmac-sha256;\n\tsecret \"" + TSIGSecret + "\";\n};\n"
)

// keyName is the key's in DNS.
const keyName = "acme-key."

// Primary is a name server that takes updates (RFC 2136) under TSIGKey. It has every zone.
type Primary struct {
	address string

	mu    sync.Mutex // guards the following fields
	texts map[string][]string
	alias map[string]string
	hides int // so many more questions for a record are answered that it isn't there
}

// StartPrimary starts one over UDP and TCP, until the test's end.
func StartPrimary(t testing.TB) *Primary {
	t.Helper()
	p := &Primary{texts: map[string][]string{}, alias: map[string]string{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p.address = l.Addr().String()
	u, err := net.ListenPacket("udp", p.address)
	must(t, err)
	for _, s := range []*dns.Server{{Listener: l}, {PacketConn: u}} {
		s.Handler, s.TsigSecret = p, map[string]string{keyName: TSIGSecret}
		s.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept } // updates as well
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return p
}

// ServeDNS answers one message.
func (p *Primary) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	switch {
	case q.Opcode == dns.OpcodeUpdate && (q.IsTsig() == nil || w.TsigStatus() != nil):
		m.Rcode = dns.RcodeNotAuth
	case q.Opcode == dns.OpcodeUpdate:
		p.update(q)
		m.SetTsig(keyName, dns.HmacSHA256, 300, int64(q.IsTsig().TimeSigned))
	case q.Question[0].Qtype == dns.TypeTXT && p.hides > 0:
		p.hides--
	default:
		p.answer(m, q.Question[0])
	}
	_ = w.WriteMsg(m) // who has gone asks again
}

// answer has CNAMEs and TXT records.
func (p *Primary) answer(m *dns.Msg, q dns.Question) {
	name := q.Name
	if target := p.alias[name]; target != "" {
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: target})
		name = target
	}
	if q.Qtype != dns.TypeTXT {
		return
	}
	for _, text := range p.texts[name] {
		m.Answer = append(m.Answer, &dns.TXT{Hdr: header(name, dns.TypeTXT), Txt: []string{text}})
	}
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET}
}

// Alias makes name a CNAME for target; both end with a dot.
func (p *Primary) Alias(name, target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alias[name] = target
}

func (p *Primary) update(q *dns.Msg) {
	for _, rr := range q.Ns {
		t, ok := rr.(*dns.TXT)
		if !ok {
			continue
		}
		name, text := t.Hdr.Name, t.Txt[0]
		if t.Hdr.Class == dns.ClassINET {
			p.texts[name] = append(p.texts[name], text)
			continue
		}
		var rest []string
		for _, other := range p.texts[name] {
			if other != text {
				rest = append(rest, other)
			}
		}
		p.texts[name] = rest
	}
}

// Hide hides records from so many more questions, and returns how many were left.
func (p *Primary) Hide(n int) (was int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was, p.hides = p.hides, n
	return was
}

// Texts are those of a record.
func (p *Primary) Texts(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.texts[name]...)
}

// Address is where it answers, over UDP and TCP.
func (p *Primary) Address() string { return p.address }
