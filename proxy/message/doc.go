// Package message is what H2 and H3 have in common: a header section becomes an http.Request, and what a handler does with
// an http.ResponseWriter becomes parts of an answer, which their [Stream] frames as it likes.
//
//	[]hpack.HeaderField ─► NewRequest ─► http.Request ─► handler ─► Response ─► Part ─► Stream.Send
//
// The checks are those of RFC 9113, section 8, and RFC 9114, section 4, which are the same; hitpath makes some of them, too.
// AppendInteger and its like append the literals of HPACK and QPACK. GrowStack is for the goroutines that run handlers.
//
// The package imports nothing of anyedge.
package message
