package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// parseQuery reads a name and a type.
func parseQuery(s string) (dns.Question, error) {
	name, typ, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		return dns.Question{}, fmt.Errorf("%q is not a name and a type, as \"example.com. SOA\"", s)
	}
	t, known := dns.StringToType[strings.ToUpper(strings.TrimSpace(typ))]
	if !known {
		return dns.Question{}, fmt.Errorf("%q is no type, as SOA or AAAA", strings.TrimSpace(typ))
	}
	if _, valid := dns.IsDomainName(name); !valid {
		return dns.Question{}, fmt.Errorf("%q is no domain name", name)
	}
	return dns.Question{Name: dns.Fqdn(name), Qtype: t, Qclass: dns.ClassINET}, nil
}

func (s Service) checkDNS(ctx context.Context) error {
	q, err := parseQuery(s.Query)
	if err != nil {
		return err
	}
	r, err := s.ask(ctx, q, s.Transport)
	if err == nil && r.Truncated && s.Transport == transportUDP {
		r, err = s.ask(ctx, q, transportTCP)
	}
	if err != nil {
		return err
	}
	return s.judgeDNS(q, r)
}

// ask sends one query. It asks for recursion, which an authoritative server ignores.
func (s Service) ask(ctx context.Context, q dns.Question, transport string) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.Id = dns.Id()
	m.Question = []dns.Question{q}
	m.RecursionDesired = true
	client := &dns.Client{Net: transport, Timeout: s.Timeout}
	r, _, err := client.ExchangeContext(ctx, m, s.DNS)
	return r, err
}

var errOtherQuestion = errors.New("answered another question")

// judgeDNS says whether an answer is the one that is expected.
func (s Service) judgeDNS(q dns.Question, r *dns.Msg) error {
	want := dns.RcodeSuccess
	if s.Expect != "" {
		want = dns.StringToRcode[strings.ToUpper(s.Expect)]
	}
	switch {
	case !r.Response || len(r.Question) != 1 || !strings.EqualFold(r.Question[0].Name, q.Name) || r.Question[0].Qtype != q.Qtype:
		return errOtherQuestion
	case r.Rcode != want:
		return fmt.Errorf("response code %s, not %s", dns.RcodeToString[r.Rcode], dns.RcodeToString[want])
	case s.Answer != "" && !holds(r.Answer, s.Answer):
		return fmt.Errorf("none of the %d records of the answer holds %q", len(r.Answer), s.Answer)
	}
	return nil
}

// holds tells whether the data of a record has the text in it.
func holds(records []dns.RR, text string) bool {
	for _, rr := range records {
		if strings.Contains(strings.TrimPrefix(rr.String(), rr.Header().String()), text) {
			return true
		}
	}
	return false
}
