package h3

import "golang.org/x/net/http2/hpack"

// staticTable is that of RFC 9204, appendix A. It isn't changed.
var staticTable = [...]hpack.HeaderField{
	0:  {Name: ":authority"},
	1:  {Name: ":path", Value: "/"},
	2:  {Name: "age", Value: "0"},
	3:  {Name: "content-disposition"},
	4:  {Name: "content-length", Value: "0"},
	5:  {Name: "cookie"},
	6:  {Name: "date"},
	7:  {Name: "etag"},
	8:  {Name: "if-modified-since"},
	9:  {Name: "if-none-match"},
	10: {Name: "last-modified"},
	11: {Name: "link"},
	12: {Name: "location"},
	13: {Name: "referer"},
	14: {Name: "set-cookie"},
	15: {Name: ":method", Value: "CONNECT"},
	16: {Name: ":method", Value: "DELETE"},
	17: {Name: ":method", Value: "GET"},
	18: {Name: ":method", Value: "HEAD"},
	19: {Name: ":method", Value: "OPTIONS"},
	20: {Name: ":method", Value: "POST"},
	21: {Name: ":method", Value: "PUT"},
	22: {Name: ":scheme", Value: "http"},
	23: {Name: ":scheme", Value: "https"},
	24: {Name: ":status", Value: "103"},
	25: {Name: ":status", Value: "200"},
	26: {Name: ":status", Value: "304"},
	27: {Name: ":status", Value: "404"},
	28: {Name: ":status", Value: "503"},
	29: {Name: "accept", Value: "*/*"},
	30: {Name: "accept", Value: "application/dns-message"},
	31: {Name: "accept-encoding", Value: "gzip, deflate, br"},
	32: {Name: "accept-ranges", Value: "bytes"},
	33: {Name: "access-control-allow-headers", Value: "cache-control"},
	34: {Name: "access-control-allow-headers", Value: "content-type"},
	35: {Name: "access-control-allow-origin", Value: "*"},
	36: {Name: "cache-control", Value: "max-age=0"},
	37: {Name: "cache-control", Value: "max-age=2592000"},
	38: {Name: "cache-control", Value: "max-age=604800"},
	39: {Name: "cache-control", Value: "no-cache"},
	40: {Name: "cache-control", Value: "no-store"},
	41: {Name: "cache-control", Value: "public, max-age=31536000"},
	42: {Name: "content-encoding", Value: "br"},
	43: {Name: "content-encoding", Value: "gzip"},
	44: {Name: "content-type", Value: "application/dns-message"},
	45: {Name: "content-type", Value: "application/javascript"},
	46: {Name: "content-type", Value: "application/json"},
	47: {Name: "content-type", Value: "application/x-www-form-urlencoded"},
	48: {Name: "content-type", Value: "image/gif"},
	49: {Name: "content-type", Value: "image/jpeg"},
	50: {Name: "content-type", Value: "image/png"},
	51: {Name: "content-type", Value: "text/css"},
	52: {Name: "content-type", Value: "text/html; charset=utf-8"},
	53: {Name: "content-type", Value: "text/plain"},
	54: {Name: "content-type", Value: "text/plain;charset=utf-8"},
	55: {Name: "range", Value: "bytes=0-"},
	56: {Name: "strict-transport-security", Value: "max-age=31536000"},
	57: {Name: "strict-transport-security", Value: "max-age=31536000; includesubdomains"},
	58: {Name: "strict-transport-security", Value: "max-age=31536000; includesubdomains; preload"},
	59: {Name: "vary", Value: "accept-encoding"},
	60: {Name: "vary", Value: "origin"},
	61: {Name: "x-content-type-options", Value: "nosniff"},
	62: {Name: "x-xss-protection", Value: "1; mode=block"},
	63: {Name: ":status", Value: "100"},
	64: {Name: ":status", Value: "204"},
	65: {Name: ":status", Value: "206"},
	66: {Name: ":status", Value: "302"},
	67: {Name: ":status", Value: "400"},
	68: {Name: ":status", Value: "403"},
	69: {Name: ":status", Value: "421"},
	70: {Name: ":status", Value: "425"},
	71: {Name: ":status", Value: "500"},
	72: {Name: "accept-language"},
	73: {Name: "access-control-allow-credentials", Value: "FALSE"},
	74: {Name: "access-control-allow-credentials", Value: "TRUE"},
	75: {Name: "access-control-allow-headers", Value: "*"},
	76: {Name: "access-control-allow-methods", Value: "get"},
	77: {Name: "access-control-allow-methods", Value: "get, post, options"},
	78: {Name: "access-control-allow-methods", Value: "options"},
	79: {Name: "access-control-expose-headers", Value: "content-length"},
	80: {Name: "access-control-request-headers", Value: "content-type"},
	81: {Name: "access-control-request-method", Value: "get"},
	82: {Name: "access-control-request-method", Value: "post"},
	83: {Name: "alt-svc", Value: "clear"},
	84: {Name: "authorization"},
	85: {Name: "content-security-policy", Value: "script-src 'none'; object-src 'none'; base-uri 'none'"},
	86: {Name: "early-data", Value: "1"},
	87: {Name: "expect-ct"},
	88: {Name: "forwarded"},
	89: {Name: "if-range"},
	90: {Name: "origin"},
	91: {Name: "purpose", Value: "prefetch"},
	92: {Name: "server"},
	93: {Name: "timing-allow-origin", Value: "*"},
	94: {Name: "upgrade-insecure-requests", Value: "1"},
	95: {Name: "user-agent"},
	96: {Name: "x-forwarded-for"},
	97: {Name: "x-frame-options", Value: "deny"},
	98: {Name: "x-frame-options", Value: "sameorigin"},
}

// staticStatus is the index of a status; 0: it isn't in the table.
func staticStatus(status int) int {
	switch status {
	case 100:
		return 63
	case 103:
		return 24
	case 200:
		return 25
	case 204:
		return 64
	case 206:
		return 65
	case 302:
		return 66
	case 304:
		return 26
	case 400:
		return 67
	case 403:
		return 68
	case 404:
		return 27
	case 421:
		return 69
	case 425:
		return 70
	case 500:
		return 71
	case 503:
		return 28
	}
	return 0
}

// staticName is an index of the name of a response's field in canonical form; below 0: it isn't in the table.
func staticName(name string) int {
	switch name {
	case "Accept-Ranges":
		return 32
	case "Access-Control-Allow-Credentials":
		return 73
	case "Access-Control-Allow-Headers":
		return 33
	case "Access-Control-Allow-Methods":
		return 76
	case "Access-Control-Allow-Origin":
		return 35
	case "Access-Control-Expose-Headers":
		return 79
	case "Age":
		return 2
	case "Alt-Svc":
		return 83
	case "Cache-Control":
		return 36
	case "Content-Disposition":
		return 3
	case "Content-Encoding":
		return 42
	case "Content-Length":
		return 4
	case "Content-Security-Policy":
		return 85
	case "Content-Type":
		return 44
	case "Date":
		return 6
	case "Etag":
		return 7
	case "Last-Modified":
		return 10
	case "Link":
		return 11
	case "Location":
		return 12
	case "Server":
		return 92
	case "Set-Cookie":
		return 14
	case "Strict-Transport-Security":
		return 56
	case "Timing-Allow-Origin":
		return 93
	case "Vary":
		return 59
	case "X-Content-Type-Options":
		return 61
	case "X-Frame-Options":
		return 97
	case "X-Xss-Protection":
		return 62
	}
	return -1
}
