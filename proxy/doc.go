// Package proxy is what the node does with a packet's request: it answers from the cache, or asks an origin.
//
// # Life of a request
//
// A listener hands each request of H1, H2 and H3 to [Server], which hands it to its present [Chain]. From there the
// steps follow in the order of chain.go; each name is a function that can be searched for.
//
//	selfCheck    answers the node's own checks: 204; they are in no log and no count of clients
//	observe      opens the exchange, in which the steps keep what they learn; measures and logs at the end
//	rescue       turns a panic into a 500
//	breakLoop    refuses what was here before: 508
//	admit        refuses what is too much or too slow: 413, 429, 503, 408 (package admission)
//	checkMethod  refuses CONNECT and TRACE: 501, 405
//	readTarget   reads host and path: 400
//	chooseSite   finds the site by VIP and host, the rule by path: 421, 400
//	redirect     sends the plain port's clients to https: 308
//	cleanFields  drops hop-by-hop and spoofed fields: 400, 417
//	earlyData    holds or refuses what may be a replay, as its client's handshake isn't complete: 425 (RFC 8470)
//	clientCertificate  holds a site's clients to its policy: 421
//	upgrade      leads WebSocket to the origin and joins both ends: tunnel.go
//	serve        hands the rest to the cache
//
// Over TLS and H1, H2 or H3 a plain hit takes a shorter way: hitpath reads the request, and hit.go leads it past the steps
// that would neither refuse nor change it, with the same tables, limits, cache, log and metrics. Whatever is not a plain hit
// comes by the steps above; over H1 hitpath is its server too, unless it has content.
//
//	cache ─ hit ────────────────────────────────────────────────► response
//	  └─ miss ─► Forwarder.RoundTrip ─► announced, or outgoing for what has content ─► Pool ─► origin
//	                   │ cleanResponse ◄──────────────┘
//	                   └─ on an error ─► Chain.fail ─► a page with Proxy-Status (RFC 9209)
//
// # What holds throughout
//
//   - The origin gets the target as the client wrote it, octet for octet, or the request is refused. What is matched
//     is read apart from that: path.go has the reasons.
//   - The cache sees the fields that the origin will see: nothing is dropped behind its key.
//   - Framing is never copied. hitpath takes no request with content; net/http, h2 and h3 parse a message and the pool
//     writes a new one, so that nothing ambiguous gets through. Content streams both ways in buffers of 32 KiB.
//   - Clients are the public: what they say in Forwarded and X-Forwarded-* is replaced, not appended to.
//   - A response that has begun and can't be completed is broken off, never ended as if it were whole.
//
// It imports cache, health, and its own listener, hitpath, origin and admission; nothing of the control path.
package proxy
