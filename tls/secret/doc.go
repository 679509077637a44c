// Package secret is what the nodes of one fleet share: a file of secrets, and every key that is derived from it.
//
//	FILE ─► Load ─► Set ─┬─► ConnectionIDKeys   the server ID in a QUIC connection ID       by config rotation
//	          ▲          ├─► TunnelKeys         roots of the keys between pairs of nodes    by key ID
//	        Write        ├─► ResetKey           stateless resets (RFC 9000, section 10.3)
//	          ▲          ├─► TokenKey           address validation (RFC 9000, section 8.1)
//	   New, Rotate       ├─► TicketKeys         TLS session tickets (RFC 8446, section 4.6.1), by day
//	                     ├─► GossipKeys         what nodes tell each other
//	                     ├─► CertificateKeys    what they tell each other about certificates
//	                     └─► StorageKeys        what they store of certificates
//
// Nodes with the same file derive the same keys, so what one of them has made holds at all of them, without a word
// between them.
//
// # Rotation
//
// Nodes read the file at different times. So a new secret is accepted everywhere before it is used anywhere, and an old
// one is accepted until nothing made with it is left. Each step is a call of [Set.Rotate], after which the file goes to
// every node and every node reloads, before the next step:
//
//	current ─► current, next ─► previous, current ─► current
//	       add              promote              drop
//
// Secrets are numbered; the number chooses the config rotation of connection IDs and the tunnel's key ID.
//
// The package imports nothing of anyedge. Keys leave it as octets, so that their users needn't import it.
package secret
