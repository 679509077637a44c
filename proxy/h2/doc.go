// Package h2 serves H2 (RFC 9113) on TLS connections. What hitpath can answer is answered where it is read; all else gets an
// http.Request and an http.ResponseWriter, as with any server.
//
//	tls.Conn ─► Conn.Serve ─► frames ─ HEADERS and the end? ─► hitpath.Server.Find ─ hit ──────────┐
//	   ▲                        │                                      │                           │
//	   │                        ├ DATA ─► body ──┐                     └ anything else             │
//	   │                        │                ▼                     ▼                           │
//	   │                        │              stream, in a goroutine of its own ─► Handler        │
//	   │                        │                │ Send                                            │
//	   │                        ▼                ▼                                                 ▼
//	   └──── one write ◄──── output: frames of all of them, and then DATA from where it is stored ◄┘
//
// One goroutine, that of Serve, reads. Whoever has something to say appends frames to the connection's output, and writes
// it if nobody does: so what many say at a time leaves together. A plain hit takes no goroutine, no http.Request and no
// context. One that is large, or that has to wait for a window, is left where it is stored; its frames are made when they
// are written, in turn with those of other streams, by their urgency (RFC 9218). It takes a goroutine only while there is
// something that can be sent.
//
// A connection on which nothing has come for a while rests: Serve returns, and is called again when something has come, so that
// the stack on which it answered isn't kept.
//
// Nothing that is sent uses a header table, so that it can be written beforehand, and by many at a time.
//
// What a client may take is limited:
//
//   - Streams, open at a time; and handlers, which may be left over by streams that were reset. Beyond, streams wait; where
//     too many do the connection ends (rapid reset, CVE-2023-44487).
//   - A header section, as it comes and decoded; the number of frames that carry one.
//   - Content that nobody has read: what the windows allow, of a stream and of all.
//   - What waits to be sent: while there is much of it nothing more is read, and no handler goes on.
//   - Time, for taking what is sent, and, for stored contents, for giving a window.
//
// The package imports frame, hitpath, message, and cache for the type of contents; nothing else of anyedge.
package h2
