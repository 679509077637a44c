// Package edgetls holds what a handshake needs: certificates, and the keys of session tickets.
//
// A [Store] reads certificates from files and answers each ClientHello from an immutable snapshot, so that a reload
// never disturbs a handshake:
//
//	files ─► Load, Replace, Watch ─┐
//	                               ├─► snapshot ─► GetCertificate (SNI: exact, wildcard, default)
//	Add (made in memory) ──────────┤
//	SetManaged (acme) ─────────────┘  names from files win
//	AnswerChallenges (acme) ─► GetConfigForClient, for ALPN acme-tls/1 alone
//	ConfigBy ─► GetConfigForClient, for hosts whose clients show certificates (package clientauth)
//	LoadECH ─► GetEncryptedClientHelloKeys (ahead of the others, which see the hello that was encrypted)
//	ShareTickets ─► ticket ring ─► WrapSession, UnwrapSession (one ring for TCP and QUIC)
//
// Tickets are sealed under random keys, or, with ShareTickets, under keys that every node of the fleet derives from its
// secret (package secret), so that a session resumes wherever its client arrives.
//
// It imports package files and nothing else of anyedge; the listeners and the commands import it.
package edgetls
