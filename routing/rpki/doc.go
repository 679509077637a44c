// Package rpki says whether an announcement agrees with what the address space's holders have signed: route origin
// validation, RFC 6811, against a file of validated ROA payloads (VRPs) that a relying party, such as rpki-client or
// Routinator, writes.
//
//	file ─► Read: what covers our prefixes ─► VRPs.Validate(prefix, origin AS) ─► valid, invalid or not found
//
// It is a leaf: it imports nothing of anyedge.
package rpki
