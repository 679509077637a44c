package httpfield

import "strings"

// Directive is a set of cache directives that were seen, with or without an argument.
type Directive uint32

// The directives of RFC 9111 §5.2, RFC 5861 and RFC 8246.
const (
	NoStore Directive = 1 << iota
	NoCache
	NoTransform
	OnlyIfCached
	Private
	Public
	MustRevalidate
	ProxyRevalidate
	MustUnderstand
	Immutable
	MaxAge
	SMaxAge
	MaxStale
	MinFresh
	StaleWhileRevalidate
	StaleIfError
)

// CacheControl is what the Cache-Control field of a message says. The zero value is that of a message without one;
// every field line is added by Add.
type CacheControl struct {
	// Has are the directives that were seen. NoCache and Private are in it only when they apply to the whole
	// response; where they named fields, those are in NoCacheFields and PrivateFields instead.
	Has Directive

	// The arguments in seconds. A malformed one counts as 0, so that the response is stale; of several the first
	// counts, RFC 9111 §4.2.1.
	MaxAge, SMaxAge, MinFresh          int64
	StaleWhileRevalidate, StaleIfError int64
	// MaxStale is MaxDelta when the directive had no argument: any staleness will do.
	MaxStale int64

	// NoCacheFields and PrivateFields are the field names that no-cache and private were limited to,
	// as they were written.
	NoCacheFields, PrivateFields []string
}

// Is tells whether one of the directives was seen.
func (c *CacheControl) Is(d Directive) bool { return c.Has&d != 0 }

// Add adds one field line. A directive with white space before its "=" is malformed: its name counts, its argument
// doesn't, so that nothing is fresher or less restricted than was meant.
func (c *CacheControl) Add(line string) {
	for element, rest := Next(line); element != ""; element, rest = Next(rest) {
		name, argument, hasArgument := strings.Cut(element, "=")
		if trimmed := TrimOWS(name); trimmed != name {
			name, argument = trimmed, ""
		}
		c.AddDirective(name, argument, hasArgument)
	}
}

// AddDirective adds one directive; argument may be a token or a quoted string.
func (c *CacheControl) AddDirective(name, argument string, hasArgument bool) {
	d := lookupDirective(name)
	switch d {
	case NoCache, Private:
		c.addQualified(d, argument, hasArgument)
	case MaxStale:
		c.addMaxStale(argument, hasArgument)
	case MaxAge, SMaxAge, MinFresh, StaleWhileRevalidate, StaleIfError:
		c.addSeconds(d, argument)
	default:
		c.Has |= d
	}
}

// addQualified adds no-cache or private; with a proper list of field names it applies to these alone,
// RFC 9111 §5.2.2.4 and §5.2.2.7.
func (c *CacheControl) addQualified(d Directive, argument string, hasArgument bool) {
	names, ok := fieldNames(argument)
	switch {
	case !hasArgument || !ok:
		c.Has |= d
	case d == NoCache:
		c.NoCacheFields = append(c.NoCacheFields, names...)
	default:
		c.PrivateFields = append(c.PrivateFields, names...)
	}
}

// fieldNames parses an argument that lists field names; ok is false when it isn't a list of at least one name.
func fieldNames(argument string) (names []string, ok bool) {
	list, quoted := Unquote(argument)
	if !quoted {
		list = argument
	}
	for name, rest := Next(list); name != ""; name, rest = Next(rest) {
		if !IsToken(name) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, len(names) > 0
}

func (c *CacheControl) addMaxStale(argument string, hasArgument bool) {
	seconds := int64(MaxDelta)
	if hasArgument {
		seconds = parseArgument(argument)
	}
	c.MaxStale = c.first(MaxStale, c.MaxStale, seconds)
}

func (c *CacheControl) addSeconds(d Directive, argument string) {
	at := c.seconds(d)
	*at = c.first(d, *at, parseArgument(argument))
}

func (c *CacheControl) seconds(d Directive) *int64 {
	switch d {
	case MaxAge:
		return &c.MaxAge
	case SMaxAge:
		return &c.SMaxAge
	case MinFresh:
		return &c.MinFresh
	case StaleWhileRevalidate:
		return &c.StaleWhileRevalidate
	default:
		return &c.StaleIfError
	}
}

// first notes that d was seen and returns its old argument, or the new one when it is the first.
func (c *CacheControl) first(d Directive, old, seconds int64) int64 {
	if c.Is(d) {
		return old
	}
	c.Has |= d
	return seconds
}

// parseArgument parses seconds in either syntax, RFC 9111 §5.2: recipients ought to accept tokens and quoted strings.
func parseArgument(argument string) int64 {
	if content, ok := Unquote(argument); ok {
		argument = content
	}
	seconds, _ := ParseDelta(argument)
	return seconds
}

// lookupDirective finds a directive by its name in any case; 0 for one that is unknown.
func lookupDirective(name string) Directive {
	for _, d := range directives {
		if strings.EqualFold(name, d.name) {
			return d.directive
		}
	}
	return 0
}

// directives are ordered by how often they are met.
var directives = [...]struct {
	name      string
	directive Directive
}{
	{"max-age", MaxAge},
	{"public", Public},
	{"no-cache", NoCache},
	{"no-store", NoStore},
	{"private", Private},
	{"s-maxage", SMaxAge},
	{"must-revalidate", MustRevalidate},
	{"stale-while-revalidate", StaleWhileRevalidate},
	{"stale-if-error", StaleIfError},
	{"immutable", Immutable},
	{"proxy-revalidate", ProxyRevalidate},
	{"must-understand", MustUnderstand},
	{"no-transform", NoTransform},
	{"only-if-cached", OnlyIfCached},
	{"max-stale", MaxStale},
	{"min-fresh", MinFresh},
}

// PragmaNoCache tells whether a line of Pragma holds no-cache, RFC 9111 §5.4.
func PragmaNoCache(line string) bool {
	for element, rest := Next(line); element != ""; element, rest = Next(rest) {
		if strings.EqualFold(element, "no-cache") {
			return true
		}
	}
	return false
}
