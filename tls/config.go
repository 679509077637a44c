package edgetls

import "crypto/tls"

// The lowest TLS versions by the names of the configuration. Below 1.2 nothing is offered (RFC 8996).
const (
	minVersion = tls.VersionTLS12
	strict     = "1.3"
)

// Config returns the configuration of a server: certificates by SNI from the store's present snapshot, session tickets
// under the store's ring, ALPN h2 and http/1.1. Cipher suites and key exchanges are crypto/tls's own, which prefer
// X25519MLKEM768, unless the options say which.
//
// Everything is reached through functions that a Clone shares, so clones see each Replace and open each other's
// tickets: one is handed to QUIC with other ALPN names.
func (s *Store) Config() *tls.Config { return s.config.Clone() }

// ConfigBy is Config where choose may replace base, the configuration that a handshake would go on with, by what the host
// asked for needs: another, or nil. It must not change base, which is the same for many handshakes.
func (s *Store) ConfigBy(choose func(h *tls.ClientHelloInfo, base *tls.Config) *tls.Config) *tls.Config {
	c := s.Config()
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		chosen, err := s.configFor(h)
		if err != nil || isChallenge(h) {
			return chosen, err
		}
		base := chosen
		if base == nil {
			base = s.config
		}
		if other := choose(h, base); other != nil {
			return other, nil
		}
		return chosen, nil
	}
	return c
}

func (s *Store) newConfig(ring *ticketRing) *tls.Config {
	return &tls.Config{
		MinVersion:         minVersion,
		NextProtos:         []string{"h2", "http/1.1"},
		GetCertificate:     s.choose,
		GetConfigForClient: s.configFor,
		WrapSession:        ring.wrap,
		UnwrapSession:      ring.unwrap,
		// Looked at before GetConfigForClient, which gets the hello that was encrypted.
		GetEncryptedClientHelloKeys: func(*tls.ClientHelloInfo) ([]tls.EncryptedClientHelloKey, error) { return s.current.Load().ech, nil },
	}
}

// configFor is what replaces the configuration for one handshake, or nil.
func (s *Store) configFor(h *tls.ClientHelloInfo) (*tls.Config, error) {
	if isChallenge(h) {
		if c := s.challengeConfig(h.ServerName); c != nil {
			return c, nil
		}
	}
	return s.current.Load().config, nil
}
