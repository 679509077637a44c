package proxy

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// hopByHop are the fields that are between neighbours (RFC 9110 §7.6.1) or of a proxy's own authentication; they are
// dropped in both directions. Trailer and Transfer-Encoding are the servers' to write.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
	"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
}

// endToEnd are fields that Connection may not nominate for removal: RFC 9110 §7.6.1 forbids it, and a client that
// could have them removed behind the cache key would poison the cache, or slip past the origin's checks.
var endToEnd = map[string]bool{
	"Host": true, "Via": true, "Date": true, "Age": true, "Vary": true, "Etag": true, "Expires": true, "Location": true,
	"Authorization": true, "Cookie": true, "Set-Cookie": true, "Origin": true, "Referer": true, "User-Agent": true,
	"Range": true, "Expect": true, "Max-Forwards": true, "Pragma": true, loopField: true, "Early-Data": true,
}

// endToEndPrefixes are more of them in requests, which come from the public.
var endToEndPrefixes = [...]string{"Accept", "Cache-", "Content-", "If-", "Last-", "Sec-", "X-Forwarded-", "Forwarded"}

// endToEndResponse are more of them in responses, besides those that direct caches: without one, what is stored or sent would
// be something else than the origin meant.
var endToEndResponse = map[string]bool{
	"Cache-Status": true, "Last-Modified": true, "Accept-Ranges": true, "Content-Type": true, "Content-Encoding": true,
	"Content-Length": true, "Content-Range": true, "Content-Location": true, "Content-Language": true,
}

// spoofed are request fields in which origins look for what only a proxy can know, or which let a client ask for
// something else than the target and the method that the cache keys on. Clients are the public: theirs are dropped,
// and forwarder.go writes our own.
var spoofed = map[string]bool{
	"Forwarded": true, "X-Real-Ip": true, "True-Client-Ip": true, "X-Client-Ip": true, "X-Cluster-Client-Ip": true,
	"X-Original-Url": true, "X-Rewrite-Url": true, "X-Original-Host": true, "X-Host": true, "X-Url-Scheme": true,
	"Front-End-Https": true, "Proxy": true, "X-Http-Host-Override": true, selfField: true,
	clientCertField: true, clientChainField: true,
}

// overrides make some frameworks take another method than the request line's. A cache must not store what a GET with
// one of them did.
var overrides = [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// isSpoofed reports whether a client may not send the field key.
func isSpoofed(key string) bool {
	if strings.Contains(key, "_") {
		return isDisguised(textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(key, "_", "-")))
	}
	return spoofed[key] || strings.HasPrefix(key, "X-Forwarded-")
}

// isDisguised reports whether key, which came with _ for -, is one that we drop, write or frame by. CGI and its heirs
// read both spellings as one field.
func isDisguised(key string) bool {
	switch key {
	case "Content-Length", "Host", "Via", loopField:
		return true
	}
	return isSpoofed(key) || slices.Contains(hopByHop[:], key)
}

// dropHopByHop removes the fields of h that end at this hop: the known ones, and those that Connection nominates and may.
func dropHopByHop(h http.Header, mayNominate func(key string) bool) {
	for _, line := range h["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			if key := textproto.CanonicalMIMEHeaderKey(textproto.TrimString(option)); mayNominate(key) {
				delete(h, key)
			}
		}
	}
	for _, key := range hopByHop {
		delete(h, key)
	}
}

func responseMayNominate(key string) bool {
	return !endToEnd[key] && !endToEndResponse[key] && !strings.HasSuffix(key, "-Control")
}

func requestMayNominate(key string) bool {
	if endToEnd[key] {
		return false
	}
	for _, prefix := range endToEndPrefixes {
		if strings.HasPrefix(key, prefix) {
			return false
		}
	}
	return true
}

// cleanRequest leaves in h what is meant for the origin. TE: trailers stays: the one coding that the next hop can
// always be told of, because both we and the pool can carry trailers.
func cleanRequest(h http.Header, method string) {
	if isPlainHeader(h) {
		return
	}
	trailers := httpguts.HeaderValuesContainsToken(h["Te"], "trailers")
	dropHopByHop(h, requestMayNominate)
	delete(h, "Host")
	for key := range h {
		if isSpoofed(key) {
			delete(h, key)
		}
	}
	if method == http.MethodGet || method == http.MethodHead {
		for _, key := range overrides {
			delete(h, key)
		}
	}
	if trailers {
		h["Te"] = []string{"trailers"}
	}
}

// isPlainHeader reports whether all of h may stay: mostly.
func isPlainHeader(h http.Header) bool {
	for key := range h {
		if key == "" || !isPlainField(key) {
			return false
		}
	}
	return true
}

// cleanResponse leaves in h what is meant for the client. Alt-Svc names the origin's own ports, which would be read
// as ours; the listener sets its own.
func cleanResponse(h http.Header) {
	for key := range h {
		if endsHere(key) {
			dropHopByHop(h, responseMayNominate)
			delete(h, "Alt-Svc")
			delete(h, selfField)
			return
		}
	}
}

// endsHere reports whether a field of a response isn't meant for the client.
func endsHere(key string) bool {
	return key == "Alt-Svc" || key == selfField || slices.Contains(hopByHop[:], key)
}
