package cache

import (
	"time"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// Target is the target URI of a request, in the parts of AppendKey.
type Target struct {
	Scheme, Authority, Path, Query string
	HasQuery                       bool
}

// Hit finds what answers a GET or HEAD without content, preconditions and ranges, if that needs nothing but writing: a
// fresh response that is stored whole in memory, in the coding that the client gets. Anything else is for ServeHTTP. The
// key is made in scratch; where there is room, nothing is allocated. No argument is kept. Served must be called for what is
// sent.
//
// A server's own loop finds the method in the handler that Cache.Handler returns.
func (h *handler) Hit(scratch []byte, t Target, f FieldReader, now time.Time) (found Found, ok bool) {
	h.site.fetch()
	if !h.usual && h.policy.Off {
		return Found{}, false
	}
	key := h.c.searches.canonical(h.appendKey(scratch[:0], &t, f))
	head := h.c.index.find(h.c.index.hash(key), key)
	o := h.c.options.Load()
	q := parseRequest(o.honours(), f)
	found = h.c.judge(head, o.Preset, &q, now)
	if found.State != Fresh {
		return Found{}, false
	}
	found.Answer = h.formOf(found.Response, &q)
	return found, writable(found.Answer)
}

func (h *handler) appendKey(dst []byte, t *Target, f FieldReader) []byte {
	if h.usual {
		return AppendKey(dst, t.Scheme, t.Authority, t.Path, t.Query, t.HasQuery)
	}
	return h.policy.AppendKey(dst, t.Scheme, t.Authority, t.Path, t.Query, t.HasQuery, f)
}

// coder is what encodes for the handler; nil: nothing does.
func (h *handler) coder() *coder {
	if h.usual {
		return h.c.coder.Load()
	}
	return h.c.coderFor(h.policy)
}

// formOf returns the representation of a stored response that represent would choose where there is no range, nil if it
// isn't stored.
func (h *handler) formOf(s *Response, q *request) *Response {
	k := h.coder()
	if k == nil || !s.figures.encodable || k.unfitLength(s.length) != "" || q.control.Is(httpfield.NoTransform) {
		return s
	}
	choice := k.choose(q.fields)
	if choice.Coding == encoding.Identity || s.worthless(choice.Coding) && !choice.Must {
		return s
	}
	return s.form(choice.Coding)
}

// writable tells whether a response is no more than its fields and a content in memory.
func writable(s *Response) bool {
	if s == nil || s.trailer != "" || !bodyAllowed(s.status) {
		return false
	}
	_, inMemory := s.content.(Pieces)
	return inMemory
}

// AppendStatus appends what Cache-Status says of a hit.
func (h *handler) AppendStatus(dst []byte, found *Found) []byte {
	s := cacheStatus{Outcome: Outcome{Hit: true}, ttl: found.TTL, hasTTL: true}
	return s.append(dst, h.c.name)
}

// Served counts a hit, of whose content so many octets were sent.
func (h *handler) Served(octets int64) { h.site.hit(octets) }
