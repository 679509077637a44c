// Package h1 sends requests without content to one server over H1 (RFC 9112), without TLS. It does what net/http's
// Transport does, on the goroutine of whoever asks: there is none that reads and none that writes for a connection, and
// nothing is handed from one to another.
//
//	Client.RoundTrip ─► an idle connection that is still quiet, else a new one     client.go, idle.go
//	                     └► one write ─► 1xx …, the header section ─► *http.Response  exchange.go, request.go
//	                                                                    └ Body ─► its end: idle again; else closed   body.go
//
// A connection is used again only if the response said nothing against it, was read to its end, and nothing came behind it,
// neither at once nor before the next request: what came would be taken for the answer to that.
//
// Responses are parsed by net/http, so that their framing is judged as everywhere else. Requests with content, upgrades and
// TLS are net/http's. The package imports nothing of anyedge.
package h1
