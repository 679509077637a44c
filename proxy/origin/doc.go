// Package origin sends requests to the servers of one origin: it chooses a server, bounds what is asked of it, retries
// where that is safe, and leaves servers alone that fail.
//
//	RoundTrip ─► acquire: a place at one of two random usable servers, the less loaded    pick.go, place.go
//	               └► send over its own transport: H1, H2 or h2c, from the node's address  send.go, transport.go,
//	                    │           GET and HEAD by packages h1 and h2, of which H2 is     h1, h2
//	                    │           offered first where it may be; the rest by net/http
//	                    ├─ error ─► classify (RFC 9209), eject?, retry with what the       errors.go, server.go, retry.go,
//	                    │           content still allows                                   upload.go
//	                    └─ response ─► exchange: its content under an idle timeout, at     body.go, exchange.go
//	                                   whose end the place is free and the outcome told
//	Run ─► active probes over the same transports ─► up, down; names that lead elsewhere   probe.go
//
// A server is usable while its probes find it up and real requests don't fail in a row. One that failed is left alone
// for a while, then tried with single requests until one succeeds. When too few are usable, all are: a bad server beats
// none. A queue that is full and a client that left are no failed fill; that a request found no place at once is reported
// for itself.
//
// A response with a control character in a field is refused, as http_protocol_error, over both protocols: RFC 9110 §5.5 lets a
// recipient replace it as well, but what is stored is what every client gets, and H2 and H3 can't carry it.
//
// What real requests and probes find is reported to health through [Reporter]. It may import health alone.
package origin
