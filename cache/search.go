package cache

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"sync/atomic"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// searchSlots is how many resources can have a No-Vary-Search at a time; a power of two. Those that collide take each
// other's place, which costs no more than a miss for each.
const searchSlots = 1 << 12

// searches are the resources, URLs without their query, whose responses say by No-Vary-Search that some queries are as
// good as others. As long as such a rule is known, their keys hold the query in its canonical form, and the rule itself,
// so that nothing is found that was stored under another. The last response of a resource that could be stored has the
// say. A restart forgets the rules, so that a store gets nothing of what is stored under such keys: a purge couldn't find
// it. A cache that meets none of them pays one atomic load per request.
type searches struct {
	used  atomic.Bool
	seed  maphash.Seed
	slots [searchSlots]atomic.Pointer[search]
}

// search is the rule of one resource.
type search struct {
	resource string
	variance httpfield.SearchVariance
	part     string // of keys
}

// searchPart begins the part of a key that holds a rule.
const searchPart = string(keyPart) + "search "

func newSearches() *searches { return &searches{seed: maphash.MakeSeed()} }

func (t *searches) slot(resource []byte) *atomic.Pointer[search] {
	return &t.slots[maphash.Bytes(t.seed, resource)%searchSlots]
}

// learn notes what a response to the request of that key says.
func (t *searches) learn(key string, response FieldReader) {
	var v httpfield.SearchVariance
	said := has(response, "No-Vary-Search")
	if said {
		v, said = httpfield.ParseNoVarySearch(joined(response, "No-Vary-Search"))
	}
	if !said && !t.used.Load() {
		return
	}
	resource, _, _ := splitKey([]byte(key))
	at := t.slot(resource)
	if said {
		at.Store(&search{resource: string(resource), variance: v, part: searchPart + v.String()})
		t.used.Store(true)
	} else if s := at.Load(); s != nil && s.resource == string(resource) {
		at.CompareAndSwap(s, nil)
	}
}

// canonical returns the key that stands for all that are as good as key; key itself where no rule is known.
func (t *searches) canonical(key []byte) []byte {
	if !t.used.Load() {
		return key
	}
	resource, query, parts := splitKey(key)
	s := t.slot(resource).Load()
	if s == nil || s.resource != string(resource) {
		return key
	}
	same := append(make([]byte, 0, len(key)+len(s.part)), resource...)
	if query = s.variance.AppendCanonical(nil, string(query)); len(query) > 0 {
		same = append(append(same, '?'), query...)
	}
	return append(append(same, s.part...), parts...)
}

// splitKey parts a key into the resource, the query, and the parts behind the URI.
func splitKey(key []byte) (resource, query, parts []byte) {
	uri := uriOf(key)
	resource, query, _ = bytes.Cut(uri, []byte("?"))
	return resource, query, key[len(uri):]
}

// uriOf is a key without the parts behind its URI.
func uriOf(key []byte) []byte {
	if i := bytes.IndexByte(key, keyPart); i >= 0 {
		return key[:i]
	}
	return key
}

// place decides where the fill's response will be stored: under the key of the request that brought it, unless the
// response says that this stands for others as well.
func (f *fill) place(r *received) {
	f.c.searches.learn(f.rawKey, r.fields)
	f.under, f.underHash = f.key, f.hash
	key := f.c.searches.canonical([]byte(f.rawKey))
	if string(key) != f.key {
		f.under, f.underHash = string(key), f.c.index.hash(key)
	}
}

// canonicalise makes the request's key the one that stands for it.
func (x *exchange) canonicalise() {
	if x.c.searches.used.Load() {
		x.rawKey = string(x.key)
		x.key = x.c.searches.canonical(x.key)
	}
}

// home is the key to store under.
func (f *fill) home() (hash uint64, key string) {
	if f.under == "" {
		return f.hash, f.key
	}
	return f.underHash, f.under
}

// placedHere tells whether what a fill brings is for this request: for its key still, or else for the same URL.
func (x *exchange) placedHere(f *fill) bool {
	return f.under == "" || f.under == f.key || f.rawKey == cmp.Or(x.rawKey, string(x.key))
}
