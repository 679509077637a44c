// Package hitpath answers H1 over TLS without net/http, and tells H2 and H3 what is stored in memory. It reads a plain request, asks a
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
// for a request has no buffers but 512 octets; where it has waited for a while it rests, see [Server].RestAfter, and has no
// goroutine of Serve's either.
//
// What a client gets of a handler's answer is what it would get of net/http's: framing, Date, Connection, informational
// responses, trailers, and an end without a word where an answer is broken off. TestAnswersLikeNetHTTP holds that.
//
// What is plain is a narrow form of what RFC 9112 allows, see parse.go. The parser doesn't refuse anything: what it doesn't
// recognise is net/http's to judge, with all that follows on that connection, so that there is one judge of malformed requests,
// and of where content ends. Serve returns such a connection, for net/http to serve.
//
// H2 and H3 have servers of their own, packages h2 and h3, which ask [Server.Find] for an [Exchange].
//
// Which stored response answers, and whether one may, is decided by cache, as for every other request. The package imports
// cache for its types and message for what H2 and H3 have in common with it, and nothing else of anyedge.
package hitpath
