// Package dns01 shows by DNS records that names are ours (RFC 8555, section 8.4), which is how wildcards are obtained.
//
//	Present ─► the zone that the name is in, or that its CNAME leads to                          solver.go, delegation.go
//	        ─► its provider, by libdns: one more TXT record                                      provider.go
//	Wait    ─► every name server of the zone has it, or it says which one hasn't                 propagation.go
//	CleanUp ─► the record is deleted, no other
//
// Zones are configured and not searched for: where a record is written, the operator has said. It is the home of libdns and
// its providers, and imports nothing of anyedge.
package dns01
