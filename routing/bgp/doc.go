// Package bgp is the BGP speaker (RFC 4271): it makes the peers' tables what routing wants, over GoBGP v4.
//
//	routing.Controller
//	  └► Set(routes)            allow-list, then the difference from what was set        speaker.go, reconcile.go
//	      └► AddPath/DeletePath one path per prefix, marked with its level's attributes  path.go
//	          └► import policy  our own paths only; nothing that a router says           policy.go
//	              └► export policy, per peer: prefix allowed? ours? marked? → attributes policy.go
//	                  └► UPDATE │ then Adj-RIB-Out is compared with what was wanted      compare.go
//
//	sessions   ◄─ GoBGP's state events   who is up, since when, what keeps a session down   session.go
//	           ◄─ GoBGP's log            what happened before a session was up              chatter.go
//	           ◄─ bfd.Monitor            whose router is dead, off by default               liveness.go
//
//	Speakers   the Speaker of this process, and those of former ones that still hold sessions      speakers.go, loan.go
//	Lend       a former process, which announces what the one that decides wants                   lend.go
//
// # One path, many peers
//
// GoBGP keeps one local path per prefix for all peers, while peers need different attributes: prepends are for eBGP,
// LOCAL_PREF for iBGP. So a path carries no attributes of its own but a marker, a large community (RFC 8092) under the
// reserved AS 4294967295 (RFC 7300) that names a set of attributes by its fingerprint. Each peer has one statement of
// the export policy for each set: it turns the marker into the attributes that this peer gets, and removes it.
//
//   - A level changes by AddPath with another marker: one UPDATE to each peer, no withdrawal between.
//   - A path without a marker, with a prefix that isn't in the allow-list, or not our own, matches no statement and
//     meets the default: reject.
//   - A route that some classes of peers are to lose has another marker, which the statements of those peers don't know.
//   - Attributes that a reload changes have a new fingerprint, so that changed attributes are a changed path.
//
// # Rules of life
//
//   - A session carries the family of its transport: the next hop is then always the session's local address.
//   - No graceful restart capability (RFC 4724): when this process dies, its routes must go at once.
//   - Nothing is imported. GoBGP's default, without policies, would pass on what one router says to the next.
//   - GoBGP has no gRPC listener here, and by ListenPort -1 no BGP listener: sessions are only dialled.
//
// GoBGP's own BFD isn't used: it demands no TTL, knows one hop alone, and ends BGP sessions that it never saw alive.
//
// It may import routing, health and bfd, and it is the only home of GoBGP; bgptest has a router made of the same.
package bgp
