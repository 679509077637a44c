// Package httpfield parses the values of HTTP fields that a cache decides by. It is a leaf: it imports nothing of
// anyedge, keeps no state, and never panics.
//
//	list.go          lists with quoted strings           RFC 9110 §5.6.1
//	delta.go         delta-seconds                       RFC 9111 §1.2.2
//	cachecontrol.go  Cache-Control, Pragma               RFC 9111 §5.2, §5.4
//	date.go          HTTP-date, all three forms          RFC 9110 §5.6.7
//	etag.go          entity tags and their comparison    RFC 9110 §8.8.3
//	ranges.go        Range, Content-Range                RFC 9110 §14
//	normalize.go     equal selecting fields made same    RFC 9111 §4.1
//	structured.go    dictionaries                        RFC 9651 §3.2
//	targeted.go      targeted cache control              RFC 9213 §2.1
//
// The parsers are stricter than net/http's, since a cache that guesses serves the wrong response: what is malformed
// is reported as such, and the caller takes the conservative side. They take one field line at a time and return
// substrings of it, so that the common cases allocate nothing.
package httpfield
