// Package h3 serves H3 (RFC 9114) on quic-go's connections. What hitpath can answer is answered as soon as it is read; all
// else gets an http.Request and an http.ResponseWriter, as with any server.
//
//	quic.Conn ─► Conn.Serve ─ a stream ─► read once ─ HEADERS and the end? ─► hitpath.Server.Find ─ hit ─► one write
//	   │                                     │                                      │
//	   │                                     └ more to come                         └ anything else
//	   │                                     ▼                                      ▼
//	   │                              requestStream, in a goroutine of its own ─► http.Request ─► Handler
//	   └ unidirectional streams ─► SETTINGS, PRIORITY_UPDATE, QPACK's
//
// A plain hit takes no goroutine, no http.Request and no context. It is answered in the loop that accepts, if quic-go takes
// the whole answer without waiting; a larger one is sent from a goroutine, from where it is stored.
//
// The end of another answer is held until others had a turn to come to theirs, and all of them leave together.
//
// Field sections are QPACK (RFC 9204) without a dynamic table, in both directions: nothing blocks on another stream then,
// and a client can't make this side keep anything. There is no server push, and there are no datagrams.
//
// quic-go's own package http3 lets nobody in front of its requests who also wants to send GOAWAY. Clients of it, in tests,
// prove that both understand each other.
//
// The package imports hitpath, and nothing else of anyedge.
package h3
