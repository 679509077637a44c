package cache

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// Policy is what a path's configuration says about caching: the `cache` key of a site or of a path.
type Policy struct {
	// Off passes every request on. In the configuration: `cache: off`.
	Off bool `yaml:"-"`
	// TTL is how long responses are fresh that don't say it themselves, ForceTTL how long they are whatever they say, both
	// by status and from when they came; 0 keeps them out of the cache. Nothing overrides private, no-store, or what keeps
	// a response from being stored for other reasons than its age.
	TTL      TTLs `yaml:"ttl"`
	ForceTTL TTLs `yaml:"force_ttl"`
	// StaleWhileRevalidate and StaleIfError apply where the response doesn't say (RFC 5861); 0 for never.
	StaleWhileRevalidate time.Duration `yaml:"stale_while_revalidate"`
	StaleIfError         time.Duration `yaml:"stale_if_error"`
	// Query says which parameters of the query are in the cache key.
	Query QueryKey `yaml:"query"`
	// Cookies and Headers are names of cookies and request fields that are in the cache key.
	Cookies []string `yaml:"cookies"`
	Headers []string `yaml:"headers"`
	// Encoding is EncodingOff where nothing is encoded towards clients; empty for what the options say.
	Encoding Encoding `yaml:"encoding"`
}

// isUsual tells whether the policy has nothing to say to a hit.
func (p *Policy) isUsual() bool {
	return !p.Off && p.Query.all() && len(p.Headers) == 0 && len(p.Cookies) == 0 && p.Encoding != EncodingOff
}

// Encoding is whether contents are encoded towards clients.
type Encoding string

// EncodingOff leaves contents as the origin sends them.
const EncodingOff Encoding = "off"

// UnmarshalText reads the short form, `off`.
func (p *Policy) UnmarshalText(b []byte) error {
	if string(b) != "off" {
		return fmt.Errorf("%q is neither off nor a mapping", b)
	}
	*p = Policy{Off: true}
	return nil
}

// Check reports every value that can't be right.
func (p *Policy) Check(report func(key, problem string)) {
	p.TTL.check("ttl.", report)
	p.ForceTTL.check("force_ttl.", report)
	if p.StaleWhileRevalidate < 0 {
		report("stale_while_revalidate", "must not be negative")
	}
	if p.StaleIfError < 0 {
		report("stale_if_error", "must not be negative")
	}
	if p.Encoding != "" && p.Encoding != EncodingOff {
		report("encoding", fmt.Sprintf("%q is not %q; how contents are encoded is said in cache.encoding", p.Encoding, EncodingOff))
	}
	checkNames("cookies", p.Cookies, report)
	checkNames("headers", p.Headers, report)
	for i, name := range p.Headers {
		if http.CanonicalHeaderKey(name) == "Cookie" {
			report(fmt.Sprintf("headers[%d]", i), "differs for every client: name the cookies in cookies")
		}
	}
}

func checkNames(key string, names []string, report func(key, problem string)) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", key, i)
		if !httpfield.IsToken(name) {
			report(at, fmt.Sprintf("%q is no name: it has characters that none has", name))
		} else if slices.Contains(names[:i], name) {
			report(at, "is there twice")
		}
	}
}

// TTLs are freshness lifetimes by status: "404", the class "5xx", or "default" for every other. The most special counts.
type TTLs map[string]time.Duration

// of returns the lifetime for a status; ok is false for none.
func (t TTLs) of(status int) (ttl time.Duration, ok bool) {
	if len(t) == 0 {
		return 0, false
	}
	for _, name := range [...]string{strconv.Itoa(status), strconv.Itoa(status/100) + "xx", "default"} {
		if ttl, ok = t[name]; ok {
			return ttl, true
		}
	}
	return 0, false
}

func (t TTLs) check(prefix string, report func(key, problem string)) {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if problem := checkStatus(name); problem != "" {
			report(prefix+name, problem)
		} else if t[name] < 0 {
			report(prefix+name, "must not be negative")
		}
	}
}

func checkStatus(name string) string {
	status, err := strconv.Atoi(name)
	switch {
	case name == "default" || len(name) == 3 && name[0] >= '2' && name[0] <= '5' && name[1:] == "xx":
		return ""
	case err != nil || len(name) != 3 || status < 200 || status > 599:
		return "is neither a status from 200 to 599, nor a class such as 4xx, nor default"
	case status == http.StatusPartialContent || status == http.StatusNotModified:
		return "is never stored by itself"
	}
	return ""
}

// assign gives a response the lifetime that the policy says, if it says one.
func (r *received) assign(p *Policy) {
	if ttl, ok := p.ForceTTL.of(r.status); ok {
		r.ttl, r.assigned = ttl, true
		r.control.Has &^= httpfield.NoCache
	} else if ttl, ok := p.TTL.of(r.status); ok && !speaks(r) {
		r.ttl, r.assigned = ttl, true
	}
}

// speaks tells whether a response says itself how long it is fresh, or that it isn't.
func speaks(r *received) bool {
	return r.control.Is(httpfield.MaxAge|httpfield.SMaxAge|httpfield.NoCache) || !r.targeted && has(r.fields, "Expires")
}
