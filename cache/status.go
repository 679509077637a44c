package cache

import (
	"net/http"
	"strconv"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// cacheStatus is one entry of Cache-Status, RFC 9211 §2.
type cacheStatus struct {
	Outcome
	ttl    time.Duration
	hasTTL bool
	detail string // a token; empty for none
}

// append appends the entry of the cache of that name. Hit and fwd exclude each other.
func (s *cacheStatus) append(dst []byte, name string) []byte {
	dst = appendItem(dst, name)
	if s.Hit {
		dst = append(dst, "; hit"...)
	} else {
		dst = append(dst, "; fwd="...)
		dst = append(dst, s.Fwd...)
	}
	if s.FwdStatus != 0 {
		dst = append(dst, "; fwd-status="...)
		dst = strconv.AppendInt(dst, int64(s.FwdStatus), 10)
	}
	if s.hasTTL {
		dst = append(dst, "; ttl="...)
		dst = strconv.AppendInt(dst, int64(floorSeconds(s.ttl)), 10)
	}
	if s.Stored {
		dst = append(dst, "; stored"...)
	}
	if s.Collapsed {
		dst = append(dst, "; collapsed"...)
	}
	if s.detail != "" {
		dst = append(dst, "; detail="...)
		dst = append(dst, s.detail...)
	}
	return dst
}

// appendItem appends a name as a token where it can be one, else as a string, RFC 9651 §3.3.
func appendItem(dst []byte, name string) []byte {
	if httpfield.IsToken(name) && (name[0] == '*' || name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z') {
		return append(dst, name...)
	}
	dst = append(dst, '"')
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '?')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func floorSeconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d < 0 && d%time.Second != 0 {
		n--
	}
	return n
}

// addTo adds the entry behind those of caches nearer to the origin.
func (s *cacheStatus) addTo(h http.Header, name string) {
	var room [160]byte
	h["Cache-Status"] = append(h["Cache-Status"], string(s.append(room[:0], name)))
}
