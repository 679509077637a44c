// Package encoding is content coding towards clients, RFC 9110 §8.4: which coding a request gets, what is worth encoding,
// and the encoders. It decides nothing about caching, and imports nothing of anyedge but httpfield.
//
//	coding.go   the codings and sets of them      RFC 9110 §8.4.1, RFC 7932, RFC 8878 with RFC 9659
//	accept.go   Accept-Encoding and the choice    RFC 9110 §12.5.3
//	chooser.go  the same, remembered
//	types.go    which media types are worth it    RFC 9110 §8.3.1
//	encoder.go  pooled encoders
//	options.go  cache.encoding
package encoding
