package edgetls

import (
	"crypto/tls"
	"net"
	"strings"
)

// ChallengeProtocol is the ALPN name by which an ACME authority asks whether a name is ours (RFC 8737, section 3). A
// connection that has agreed on it carries nothing and is closed.
const ChallengeProtocol = "acme-tls/1"

// challengeFinder returns the certificate that answers the challenge for a name in lower case, or nil.
type challengeFinder func(name string) *tls.Certificate

// AnswerChallenges lets find answer handshakes with ALPN acme-tls/1 alone: it gets the server name in lower case, and
// returns nil where no challenge is under way. Such a handshake then fails for want of a common protocol, as before.
func (s *Store) AnswerChallenges(find func(name string) *tls.Certificate) {
	f := challengeFinder(find)
	s.challenges.Store(&f)
}

// isChallenge tells a CA's handshake from a client's. Challenges come over TCP.
func isChallenge(h *tls.ClientHelloInfo) bool {
	if len(h.SupportedProtos) != 1 || h.SupportedProtos[0] != ChallengeProtocol {
		return false
	}
	if h.Conn == nil {
		return true
	}
	_, quic := h.Conn.LocalAddr().(*net.UDPAddr)
	return !quic
}

func (s *Store) challengeConfig(name string) *tls.Config {
	find := s.challenges.Load()
	if find == nil {
		return nil
	}
	cert := (*find)(strings.ToLower(name))
	if cert == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: minVersion, NextProtos: []string{ChallengeProtocol}, Certificates: []tls.Certificate{*cert},
		SessionTicketsDisabled: true,
	}
}
