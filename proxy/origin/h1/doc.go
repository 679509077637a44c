// Package h1 sends requests without content to one server over H1 (RFC 9112), with TLS or without. It does what net/http's
// Transport does, on the goroutine of whoever asks: there is none that reads and none that writes for a connection, and
// nothing is handed from one to another.
//
//	Client.RoundTrip ─► an idle connection that is still quiet, else a new one     client.go, idle.go, ask_unix.go
//	                     └► one write ─► 1xx …, the header section ─► *http.Response  exchange.go, request.go, answer.go
//	                                                                    └ Body ─► its end: idle again; else closed   body.go
//
// A connection is used again only if the response said nothing against it, was read to its end, and nothing came behind it,
// neither at once nor before the next request: what came would be taken for the answer to that. Of TLS that is whatever has
// come below it, and what it has read ahead (secure.go).
//
// A response to GET that has come with its whole header section, of HTTP/1.1 and with a length that is said once, is read by
// answer.go; every other is parsed by net/http, so that framing is judged as everywhere else. FuzzResponse holds that both
// make the same of the same octets, but for fields that net/http changes, which repair.go undoes. Deadlines are moved only
// when they would come too late (conn.go). Requests with content and upgrades are net/http's. The package imports lifespan,
// and nothing else of anyedge.
package h1
