package cache

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// URLExplanation says what is stored for a target URI, and what a GET would get of it now.
type URLExplanation struct {
	URL     string    `json:"url"`
	Now     time.Time `json:"now"`
	Verdict string    `json:"verdict"` // in words
	// Stored are the responses in memory, those under keys with further parts too; the newest of a key first.
	Stored []StoredExplanation `json:"stored"`
	// OnDisk tells that the disk may have more under the URL's own key: a request would look there.
	OnDisk bool `json:"on_disk,omitempty"`
	// Alone tells that requests for the URL don't wait for each other, since its last response couldn't be shared.
	Alone bool `json:"alone,omitempty"`
	// Unstored is the last response that wasn't stored, if that isn't long ago.
	Unstored *Unstored `json:"unstored,omitempty"`
	// Fills are those in flight.
	Fills int `json:"fills,omitempty"`
}

// StoredExplanation is one stored response with the figures that decide over its reuse, RFC 9111 §4.2.
type StoredExplanation struct {
	Key       string            `json:"key"`
	Status    int               `json:"status"`
	Vary      map[string]string `json:"vary,omitempty"` // the request's fields that it is for, in normal form
	Place     string            `json:"place"`          // memory, disk or slices
	Length    int64             `json:"length"`         // in bytes
	ETag      string            `json:"etag,omitempty"`
	Date      time.Time         `json:"date"`
	Received  time.Time         `json:"received"`
	Age       time.Duration     `json:"age_ns"` // now: the initial one and the time since it was received
	Initial   time.Duration     `json:"initial_age_ns"`
	Lifetime  time.Duration     `json:"lifetime_ns"`
	Remaining time.Duration     `json:"remaining_ns"` // of the lifetime; negative once stale
	// WhileRevalidate and IfError are how long beyond its lifetime it may be used, RFC 5861.
	WhileRevalidate time.Duration `json:"stale_while_revalidate_ns,omitempty"`
	IfError         time.Duration `json:"stale_if_error_ns,omitempty"`
	NoCache         bool          `json:"no_cache,omitempty"`    // validated before each use
	SoftPurged      bool          `json:"soft_purged,omitempty"` // stale whatever the figures say
	Purged          bool          `json:"purged,omitempty"`      // dead, and not yet swept away
	Selected        bool          `json:"selected"`              // the request's fields select it
	Verdict         string        `json:"verdict"`               // what a request that selects it gets
}

// Explain says what is stored for a whole http or https URL, and what a GET with these fields would get. It decides by
// what hits decide by, and counts as no use.
func (c *Cache) Explain(url string, fields http.Header, now time.Time) (URLExplanation, error) {
	key, err := keyOfURL(url)
	if err != nil {
		return URLExplanation{}, err
	}
	o := c.options.Load()
	q := parseRequest(o.honours(), header(fields))
	canonical := c.searches.canonical(key)
	e := URLExplanation{URL: url, Now: now, Verdict: "nothing is stored: the origin is asked", Stored: []StoredExplanation{}}
	c.index.each(func(s *slot) {
		if uri := uriOf([]byte(s.key)); !bytes.Equal(uri, key) && !bytes.Equal(uri, canonical) {
			return
		}
		for _, r := range s.list() {
			e.Stored = append(e.Stored, c.explain(o.Preset, s.key, r, &q, now))
		}
	})
	for _, s := range e.Stored {
		if s.Selected && !s.Purged && !strings.ContainsRune(s.Key, keyPart) {
			e.Verdict = s.Verdict
			break
		}
		e.Verdict = "nothing that is stored under the URL's own key is for these fields: the origin is asked"
	}
	e.OnDisk = c.tier != nil && c.tier.store.Has(idOf(canonical))
	e.Alone = c.marks.has(c.index.hash(canonical), now)
	e.Unstored = c.unstored.last(c.index.hash(canonical))
	e.Fills = c.flights.of(string(canonical))
	return e, nil
}

// explain is one stored response with what a request would get of it.
func (c *Cache) explain(p Preset, key string, r *Response, q *request, now time.Time) StoredExplanation {
	f := &r.figures
	found := judge(p, q, r, now)
	e := StoredExplanation{
		Key: key, Status: r.status, Place: r.place(), Length: r.length, ETag: r.etag.String(), Date: r.date.time(), Received: f.received,
		Age: found.Age, Initial: f.initialAge, Lifetime: f.lifetime, Remaining: f.lifetime - found.Age,
		WhileRevalidate: f.whileRevalidate, IfError: f.ifError, NoCache: f.noCache, SoftPurged: r.soft.Load(),
		Purged: !c.alive(r), Selected: selects(r.vary, q.fields),
	}
	if r.etag.Opaque == "" {
		e.ETag = ""
	}
	for _, v := range r.vary {
		if e.Vary == nil {
			e.Vary = map[string]string{}
		}
		e.Vary[v.name] = v.value
	}
	e.Verdict = found.words()
	if e.Purged {
		e.Verdict = "purged: as good as not there"
	}
	return e
}

// place is where the content lies.
func (s *Response) place() string {
	if s.Sliced() {
		return "slices"
	}
	if _, inMemory := s.content.(Pieces); inMemory {
		return "memory"
	}
	return "disk"
}

// words say what a request gets.
func (f *Found) words() string {
	switch f.State {
	case Fresh:
		return "hit: fresh"
	case Stale:
		return "hit: stale, as the request allows"
	case StaleWhileRevalidate:
		return "hit: stale, and validated behind the client's back"
	case Validate:
		return "the origin is asked first whether it has changed: fwd=" + string(f.Fwd)
	}
	return "nothing matches: fwd=" + string(f.Fwd)
}
