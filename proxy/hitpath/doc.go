// Package hitpath answers H1 over TLS, and what is stored in memory over H2, without net/http. It reads a plain request, asks a
// [Finder], which is the proxy's chain, and writes the stored field section and content as they are. What isn't stored takes
// the long way over H1: the [Server]'s Handler answers it, with a ResponseWriter of this package.
//
//	tls.Conn ─► inbox ─► parse ─ plain? ─► Finder.Find ─ hit ─► batch ─► one TLS write ───────────────┐
//	   ▲                   │                   │                                                      │
//	   │                   │                   └ no hit ─► turn ─► Handler ─► response ─► TLS writes ─┤
//	   │                   └ anything else ─► net/http, for good                                      │
//	   └────────────────────────────────────────── the next request ◄────────────────────────────────┘
//
// [Conn.Serve] is that loop. One goroutine reads, answers and runs the handler. A handler is watched over by another only when it
// takes its time: watch reads then, to learn that the client has gone, and keeps what comes instead. A connection that waits
// for a request has no buffers but 512 octets.
//
// What a client gets of a handler's answer is what it would get of net/http's: framing, Date, Connection, informational
// responses, trailers, and an end without a word where an answer is broken off. TestAnswersLikeNetHTTP holds that.
//
// What is plain is a narrow form of what RFC 9112 allows, see parse.go. The parser doesn't refuse anything: what it doesn't
// recognise is net/http's to judge, with all that follows on that connection, so that there is one judge of malformed requests,
// and of where content ends. Serve returns such a connection, for net/http to serve.
//
// Over H2 requests share a connection, and so it never parts. H2Conn stands between the client and an H2 server for the
// connection's whole life, and takes out of what the server reads the requests that it answers:
//
//	tls.Conn ─► H2Conn.Read ─► frames ─ a GET or HEAD in one piece? ─► Finder.Find ─ hit ─► batch ─► one write ─┐
//	   ▲                          │                                         │                                   │
//	   │                          └ all other frames, other requests ◄──────┘                                   │
//	   │                            in literals                                                                 │
//	   │                          ▼                                                                             │
//	   │                     the H2 server, which reads from H2Conn and writes to it                            │
//	   └───────────────────── frames, whole, of either ◄────────────────────────────────────────────────────────┘
//
// What both sides of a connection must agree on stays so:
//
//   - The client's header table (RFC 7541) is kept here: every header block is decoded, and what the server gets is encoded
//     anew without a table. In the other direction the table is the server's: what is sent from here doesn't use it.
//   - What the client adds to the connection's window is shared between the two who send. What doesn't fit into the share,
//     or into the stream's window, is the server's to send. So nothing here ever waits for a window.
//   - A stream that was answered here is over at once. Frames that still come on it don't reach the server unless it knows
//     of a later stream, and takes it for closed.
//
// As with H1 little is refused that the server can refuse: what is malformed goes to it as it is. Where it departs from the
// RFC, that is made good here: requests with fields of H1's connections get a stream error, and a setting may be repeated.
//
// H3 has a server of its own, package h3, which asks [Server.Find] for an [Exchange].
//
// Which stored response answers, and whether one may, is decided by cache, as for every other request. The package imports
// cache for its types, and nothing else of anyedge.
package hitpath
