package listener

import "net/http"

// fieldOverhead is what each field counts beyond its octets (RFC 9113, section 6.5.2).
const fieldOverhead = 32

// headroom is how many times Limits.Header the servers of H1 and H2 may read. Beyond their own limit they end the
// connection, with H2 every other request on it, where a status would do; so the limit proper is looked at afterwards.
const headroom = 4

// fieldsFit answers 431 to a request whose target and fields are larger than the limit, and says whether it may go on.
func (l *Listener) fieldsFit(w http.ResponseWriter, r *http.Request) bool {
	if fieldsSize(r) <= l.config.Limits.Header {
		return true
	}
	l.metrics.headersRefused.Inc()
	http.Error(w, "the request's fields are too large: the cookies of this site, perhaps", http.StatusRequestHeaderFieldsTooLarge)
	return false
}

func fieldsSize(r *http.Request) int64 {
	size := len(r.RequestURI) + len(r.Host) + fieldOverhead
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + fieldOverhead
		}
	}
	return int64(size)
}
