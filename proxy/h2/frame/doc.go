// Package frame has the frames of H2 (RFC 9113, sections 4, 6 and 7): how they are read and written, and what can be told wrong of
// one without knowing the connection. The server of H2 and the client that asks origins have it in common.
//
//	octets ─► Read ─► Head ─► Check ─► HEADERS, CONTINUATION ─► Block ─► a header block
//	                                 └ anything else ─► whoever knows the connection
//	Append… ─► octets
//
// Nothing here keeps its arguments but a Block, and nothing takes a lock. The package imports nothing of anyedge.
package frame
