// Package origin sends requests to the servers of one origin: it chooses a server, bounds what is asked of it, retries
// where that is safe, and leaves servers alone that fail.
//
//	RoundTrip ─► acquire: a place at one of two random usable servers, the less loaded    pick.go, place.go
//	               └► send over its own transport: H1, H2 or h2c, from the node's address  send.go, transport.go
//	                    ├─ error ─► classify (RFC 9209), eject?, retry?                    errors.go, server.go, retry.go
//	                    └─ response, its content under an idle timeout ─► place free       body.go
//	Run ─► active probes over the same transports ─► up, down                              probe.go
//
// A server is usable while its probes find it up and real requests don't fail in a row. When too few are usable, all
// are: a bad server beats none.
//
// What real requests and probes find is reported to health through [Reporter]. It may import health alone.
package origin
