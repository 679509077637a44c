// Package h2 sends requests without content to one server over H2 (RFC 9113), with TLS or without (with prior knowledge, section
// 3.3). It does what net/http's Transport does, for less: many requests share a write, many answers a read, and whoever asks
// waits for its answer itself, with no goroutine, pipe or context of its own.
//
//	Client.RoundTrip ─► a connection with a stream to spare, else a new one        client.go, dial.go
//	     │                └► a stream: HEADERS ─┐                                  conn.go, request.go
//	     │                                      ▼
//	     │       one write for what many say ◄─ output ◄─ ACK, WINDOW_UPDATE …     output.go
//	     ▼                                                       ▲
//	  waits ◄── stream: header section, content ◄── frames ◄── one goroutine for a connection, which reads   read.go, stream.go
//	     └► *http.Response, whose Body is the stream                               body.go
//
// A request that the server can't have begun to answer is sent again, over another connection if need be: refused (section
// 8.7), above the last that GOAWAY names (section 6.8), or lost with an old connection before anything came of its answer; it
// has no content, and asks for the same twice.
//
// What a server may cost is limited: a header section, as it comes and decoded, interim responses included; content that
// nobody has read, by its stream's window; time, for the header section, for each octet of the content, for taking what is
// sent, and for answering a PING where nothing else has come for a while. Whoever gives up resets the stream; the connection
// goes on.
//
// What is sent uses no header table; nothing is pushed. Requests with content, and upgrades, are net/http's. The package imports
// h1 for what a request is, frame, message, and lifespan; nothing else of anyedge.
package h2
