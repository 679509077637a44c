// Package hitpath answers plain requests for what is stored in memory without net/http: it reads the request, asks a
// [Finder], which is the proxy's chain, and writes the stored field section and content as they are.
//
//	tls.Conn ─► Conn.Read ─► parse ─ plain? ─► Finder.Find ─ hit ─► batch ─► one TLS write ─┐
//	               │           │                   │                                        │
//	               │           └ anything else     └ anything but a hit                     └─► the next request
//	               ▼                 ▼                   ▼
//	           net/http, which reads from Conn, gets the same octets as if this package weren't there
//
// net/http owns the connection: it calls Conn.Read when it wants a request, and that is where the loop is. So a hand-over
// is a Read that returns, and the loop goes on when net/http asks for the next request. It must know that net/http asks for
// a new one, and not for more of the last. So there are two ways to hand over:
//
//	looping ─ a GET or HEAD without content ─▶ lent    net/http gets that head, and not an octet more before it is idle
//	 │ ▲                                          │
//	 │ └────────── http.StateIdle ────────────────┘
//	 └─ anything else: POST, HTTP/1.0, odd heads ─▶ given, for good: where it ends is net/http's to say
//
// What is plain is a narrow form of what RFC 9112 allows, see parse.go. The parser doesn't refuse anything: what it doesn't
// recognise is net/http's to judge, so that there is one judge of malformed requests.
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
