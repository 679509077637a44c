// Package clientauth decides which clients' certificates a site takes.
//
//	Options ─► Load ─► Policy ─┬─ Config: the handshake asks for a certificate, and ends where it isn't taken
//	                           └─ Verify: at every request, on the certificate of its connection
//
// What counts is Verify: it holds a connection's certificate against the authorities and the revocation lists as they are
// now, however the connection came about: by a full handshake, a resumed session, or before the files changed. The
// handshake only sees to it that a client shows its certificate, and hears early where it is no good. A session resumes
// under the same authorities alone.
//
// Revocation lists (RFC 5280, section 5) are complete ones, signed by an authority of the bundle. A certificate whose
// authority has a list must not be in it, and neither may those between it and the root; one whose authority has none isn't
// looked up. A list that is past its time says nothing about what was revoked since: then nothing of its authority is
// taken, unless Options says to use it.
//
// Client-Cert and Client-Cert-Chain tell the origin (RFC 9440). The package is a leaf but for package files.
package clientauth
