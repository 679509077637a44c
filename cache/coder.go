package cache

import (
	"net/http"
	"runtime"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// coder is what content coding goes by until the options change. nil is one that encodes nothing.
type coder struct {
	chooser *encoding.Chooser
	types   encoding.Types
	min     int64
	max     int64
	stored  *encoding.Encoders // for what is kept
	passing *encoding.Encoders // for what isn't
	streams turns              // for contents that are encoded as they pass
	jobs    turns              // for contents that are encoded to be kept
}

func newCoder(o *encoding.Options) *coder {
	order := o.Order()
	if len(order) == 0 {
		return nil
	}
	return &coder{
		chooser: encoding.NewChooser(order), types: encoding.NewTypes(o.Types), min: o.MinSize, max: o.MaxSize,
		stored: encoding.NewEncoders(o.Levels), passing: encoding.NewFastEncoders(),
		streams: newTurns(o.Streams), jobs: newTurns(max(runtime.GOMAXPROCS(0)/2, 1)),
	}
}

// turns bound how many do something at a time.
type turns chan struct{}

func newTurns(n int) turns { return make(turns, n) }

// take takes a place, if one is free.
func (p turns) take() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p turns) leave() { <-p }

// coderFor returns the coder for a path's requests.
func (c *Cache) coderFor(p *Policy) *coder {
	if p.Encoding == EncodingOff {
		return nil
	}
	return c.coder.Load()
}

// choose returns what a request's Accept-Encoding comes to.
func (k *coder) choose(f FieldReader) encoding.Choice {
	line, ok := f.Line(acceptEncoding, 0)
	if !ok {
		return encoding.Choice{}
	}
	if _, more := f.Line(acceptEncoding, 1); more {
		line = joined(f, acceptEncoding)
	}
	return k.chooser.Choose(line)
}

// asks returns what a request of ours accepts, in one form for all whose clients may get the same: an origin that
// encodes by itself has no more variants than there are sets of codings. To a client that says nothing it may answer as it
// likes: then it is empty.
func (k *coder) asks(client http.Header) string {
	if k == nil || len(client[acceptEncoding]) == 0 {
		return ""
	}
	value := k.choose(header(client)).Accepted.String()
	if value == "" {
		value = "identity"
	}
	return value
}

// skip is why a response isn't encoded although the client could have it so; empty when it is.
type skip string

// The reasons. The first isn't counted: it is the rule.
const (
	skipType        skip = "type" // of the content, or no content
	skipEncoded     skip = "encoded"
	skipNoTransform skip = "no-transform"
	skipDigest      skip = "digest"
	skipSmall       skip = "small"
	skipLarge       skip = "large"
	skipPersonal    skip = "personal"
	skipBusy        skip = "busy"
	skipNotSmaller  skip = "not-smaller"
)

// unfit tells why a response may not be encoded, or needn't: RFC 9110 §7.7 forbids it where Cache-Control says
// no-transform, and a digest is that of what the origin sent. length is -1 where it isn't known.
func (k *coder) unfit(status int, f FieldReader, length int64) skip {
	if !bodyAllowed(status) || status == http.StatusPartialContent || has(f, "Content-Range") {
		return skipType
	}
	if value, ok := singular(f, "Content-Type"); !ok || !k.types.Has(value) {
		return skipType
	}
	switch control := parseControl(f); {
	case isEncoded(f):
		return skipEncoded
	case control.Is(httpfield.NoTransform):
		return skipNoTransform
	case hasDigest(f):
		return skipDigest
	}
	return k.unfitLength(length)
}

func (k *coder) unfitLength(length int64) skip {
	switch {
	case length >= 0 && length < k.min:
		return skipSmall
	case length > k.max:
		return skipLarge
	}
	return ""
}

func isEncoded(f FieldReader) bool {
	for coding, rest := httpfield.Next(joined(f, "Content-Encoding")); coding != ""; coding, rest = httpfield.Next(rest) {
		if coding != "identity" {
			return true
		}
	}
	return false
}

// digests are the fields that hold one of the content: RFC 9530, and its predecessors.
var digests = [...]string{"Content-Digest", "Repr-Digest", "Digest", "Content-Md5"}

func hasDigest(f FieldReader) bool {
	for _, name := range digests {
		if has(f, name) {
			return true
		}
	}
	return false
}

// personal tells whether a response that isn't stored may hold what only its client may know. Encoded together with what
// somebody else made the client send, its length tells of it (BREACH); so the preset Safe leaves it as it is.
func personal(request, response FieldReader) bool {
	control := parseControl(response)
	return has(request, "Authorization") || has(request, "Client-Cert") || has(request, "Cookie") || has(response, "Set-Cookie") || control.Is(httpfield.Private)
}
