package h2

import (
	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/message"
	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// What is sent uses no header table, but literals without indexing (RFC 7541, section 6.2.2), with names from the static table
// where that has them: the fields of requests differ too much for a table to pay.

const (
	// literalPlain are the first bits of a literal that no table takes up, RFC 7541, section 6.2.2.
	literalPlain = 0x00
	// noTable says that the table of what is sent has no octet, RFC 7541, section 6.3. It holds for good.
	noTable = 0x20
)

// The indexes of fields in the static table, RFC 7541, Appendix A.
const (
	staticAuthority = 1
	staticGET       = 2
	staticMethod    = 2
	staticPath      = 4
	staticHTTP      = 6
	staticHTTPS     = 7
)

// appendRequest appends the HEADERS of r, which end the stream. With an error what was appended isn't whole.
func appendRequest(dst []byte, id uint32, r *h1.Request, secure bool) ([]byte, error) {
	authority, err := r.Authority()
	if err != nil {
		return dst, err
	}
	target, err := r.Target()
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = frame.OpenHeaders(dst)
	if id == 1 {
		dst = append(dst, noTable)
	}
	if r.Method == "GET" {
		dst = append(dst, 0x80|staticGET)
	} else {
		dst = appendIndexed(dst, staticMethod, r.Method)
	}
	scheme := byte(staticHTTP)
	if secure {
		scheme = staticHTTPS
	}
	dst = append(dst, 0x80|scheme)
	dst = appendIndexed(dst, staticAuthority, authority)
	dst = appendIndexed(dst, staticPath, target)
	err = r.Lines(func(name, value string) {
		if !isHop(name, value) {
			dst = message.AppendString(appendName(dst, name), value)
		}
	})
	return frame.CloseHeaders(dst, start, id, frame.EndStream), err
}

// isHop tells of fields that are H1's connection's, RFC 9113, section 8.2.2. Of those, h1.Takes lets some pass.
func isHop(name, value string) bool {
	switch name {
	case "Keep-Alive", "Proxy-Connection":
		return true
	case "Te":
		return value != "trailers"
	}
	return false
}

// appendIndexed appends a field whose name is in the static table.
func appendIndexed(dst []byte, index int, value string) []byte {
	return message.AppendString(message.AppendInteger(dst, literalPlain, 4, index), value)
}

// appendName appends the beginning of a literal whose name is in canonical form.
func appendName(dst []byte, name string) []byte {
	if i := staticName(name); i > 0 {
		return message.AppendInteger(dst, literalPlain, 4, i)
	}
	dst = message.AppendInteger(append(dst, literalPlain), 0, 7, len(name))
	return message.AppendLower(dst, name)
}

// staticName is the index of a name in canonical form in the static table, RFC 7541, Appendix A; 0: it isn't there. Of the
// names, those of requests.
func staticName(name string) int {
	switch name {
	case "Accept-Charset":
		return 15
	case "Accept-Encoding":
		return 16
	case "Accept-Language":
		return 17
	case "Accept":
		return 19
	case "Authorization":
		return 23
	case "Cache-Control":
		return 24
	case "Cookie":
		return 32
	case "If-Match":
		return 39
	case "If-Modified-Since":
		return 40
	case "If-None-Match":
		return 41
	case "If-Range":
		return 42
	case "If-Unmodified-Since":
		return 43
	case "Max-Forwards":
		return 47
	case "Range":
		return 50
	case "Referer":
		return 51
	case "User-Agent":
		return 58
	case "Via":
		return 60
	}
	return 0
}
