package cache

import (
	"fmt"
	"net/url"
	"strings"
)

// QueryKey says which parameters of a query are in the cache key; the zero value: all. What isn't in the key isn't sent to
// the origin by a fill either, so that no stored response can depend on it.
type QueryKey struct {
	// Off leaves out the whole query. In the configuration: `query: off`.
	Off bool `yaml:"-"`
	// Ignore are parameters that are left out, Only all that aren't: one of both, names or prefixes such as "utm_*".
	Ignore []string `yaml:"ignore"`
	Only   []string `yaml:"only"`
}

// UnmarshalText reads the short form, `off`.
func (k *QueryKey) UnmarshalText(b []byte) error {
	if string(b) != "off" {
		return fmt.Errorf("%q is neither off nor a mapping", b)
	}
	*k = QueryKey{Off: true}
	return nil
}

// Check reports every value that can't be right.
func (k *QueryKey) Check(report func(key, problem string)) {
	if len(k.Ignore) > 0 && len(k.Only) > 0 {
		report("only", "contradicts ignore: give one of them")
	}
	checkParameters("ignore", k.Ignore, report)
	checkParameters("only", k.Only, report)
}

func checkParameters(key string, names []string, report func(key, problem string)) {
	for i, name := range names {
		if name == "" || strings.ContainsAny(name, "&=;#? ") || strings.Contains(strings.TrimSuffix(name, "*"), "*") {
			report(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is neither a parameter's name nor a prefix with * behind it", name))
		}
	}
}

// all tells whether the whole query is in the key.
func (k *QueryKey) all() bool { return !k.Off && len(k.Ignore) == 0 && len(k.Only) == 0 }

// appendQuery appends the part of a query that is in the key, in its order.
func (k *QueryKey) appendQuery(dst []byte, query string) []byte {
	if k.Off {
		return dst
	}
	start := len(dst)
	for query != "" {
		var parameter string
		parameter, query, _ = strings.Cut(query, "&")
		if parameter == "" || !k.holds(parameter) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst = append(dst, parameter...)
	}
	return dst
}

// holds tells whether a parameter is in the key. One that origins may read in different ways always is.
func (k *QueryKey) holds(parameter string) bool {
	name, _, _ := strings.Cut(parameter, "=")
	if strings.ContainsAny(name, "%+") {
		decoded, err := url.QueryUnescape(name)
		if err != nil {
			return true
		}
		name = decoded
	}
	if strings.IndexByte(parameter, ';') >= 0 {
		return true
	}
	if len(k.Only) > 0 {
		return matchesName(k.Only, name)
	}
	return !matchesName(k.Ignore, name)
}

func matchesName(patterns []string, name string) bool {
	for _, p := range patterns {
		if prefix, ok := strings.CutSuffix(p, "*"); ok && strings.HasPrefix(name, prefix) || p == name {
			return true
		}
	}
	return false
}

// filtered is the part of a query that is in the key.
func (k *QueryKey) filtered(query string) string { return string(k.appendQuery(nil, query)) }
