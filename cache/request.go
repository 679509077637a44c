package cache

import (
	"github.com/anyedge/anyedge/cache/httpfield"
)

// request is what the rules read of a request.
type request struct {
	fields FieldReader
	// control are the directives that count: where a client's own can't bypass the cache, only only-if-cached and
	// no-transform are left.
	control    httpfield.CacheControl
	authorized bool // it carries credentials, RFC 9111 §3.5; those of a connection count, RFC 9440
}

// parseRequest reads the request directives, RFC 9111 §5.2.1, and Pragma, §5.4, which counts where Cache-Control is
// absent.
func parseRequest(honour bool, f FieldReader) request {
	q := request{fields: f, authorized: has(f, "Authorization") || has(f, "Client-Cert")}
	if has(f, "Cache-Control") {
		q.control = parseControl(f)
	} else if pragmaNoCache(f) {
		q.control.Has = httpfield.NoCache
	}
	if !honour {
		q.control = httpfield.CacheControl{Has: q.control.Has & (httpfield.OnlyIfCached | httpfield.NoTransform)}
	}
	return q
}

func pragmaNoCache(f FieldReader) bool {
	for i := 0; ; i++ {
		line, ok := f.Line("Pragma", i)
		if !ok || httpfield.PragmaNoCache(line) {
			return ok
		}
	}
}
