package clientauth

import (
	"bytes"
	"crypto/tls"
	"sync/atomic"
	"time"
)

// markPrefix begins what a session ticket carries of the policy.
const markPrefix = "anyedge client certificates "

// derived is the configuration that was made last, and of which: handshakes of one site go on with the same.
type derived struct{ last atomic.Pointer[pair] }

type pair struct{ base, config *tls.Config }

// Config is base for handshakes of the site: it asks for a certificate and ends the handshake where that isn't taken. Early
// data isn't taken, since it comes before the client has shown anything. base isn't changed, and has WrapSession and
// UnwrapSession.
func (p *Policy) Config(base *tls.Config) *tls.Config {
	r := p.current.Load()
	if last := r.derived.last.Load(); last != nil && last.base == base {
		return last.config
	}
	c := base.Clone()
	c.GetConfigForClient = nil
	c.ClientAuth, c.ClientCAs = tls.RequireAnyClientCert, r.all
	if p.options.Mode == Optional {
		c.ClientAuth = tls.RequestClientCert
	}
	c.VerifyConnection = p.admit
	c.WrapSession = func(state tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		s.EarlyData = false
		s.Extra = append(s.Extra, []byte(r.mark))
		return base.WrapSession(state, s)
	}
	c.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		s, err := base.UnwrapSession(ticket, state)
		if err != nil || s == nil || !marked(s, r.mark) {
			return nil, err
		}
		s.EarlyData = false
		return s, nil
	}
	r.derived.last.Store(&pair{base, c})
	return c
}

// admit ends the handshake of a connection that no request could come by.
func (p *Policy) admit(state tls.ConnectionState) error {
	if len(state.PeerCertificates) > 0 && p.own != nil && state.PeerCertificates[0].Equal(p.own) {
		return nil
	}
	_, err := p.Verify(&state, time.Now())
	return err
}

func marked(s *tls.SessionState, mark string) bool {
	for _, extra := range s.Extra {
		if bytes.Equal(extra, []byte(mark)) {
			return true
		}
	}
	return false
}
