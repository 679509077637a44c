package httpfield

import (
	"net/url"
	"slices"
	"strings"
)

// SearchVariance is what No-Vary-Search says of queries, draft-ietf-httpbis-no-vary-search: which of them are as good as
// others. The zero value is that of a response without the field: all differences matter.
type SearchVariance struct {
	AnyOrder bool     // the order of parameters doesn't matter
	All      bool     // no parameter matters except Names; else all matter except Names
	Names    []string // decoded, in order
}

// ParseNoVarySearch parses the field; its lines are joined by commas beforehand. ok is false when all differences matter:
// it is malformed, contradicts itself or says nothing.
func ParseNoVarySearch(s string) (v SearchVariance, ok bool) {
	members, ok := ParseDictionary(s)
	var params, except []string
	for _, m := range members {
		switch {
		case m.Key == "key-order" && m.Kind == KindBoolean:
			v.AnyOrder = m.Int == 1
		case m.Key == "params" && m.Kind == KindBoolean:
			v.All = m.Int == 1
		case m.Key == "params":
			params, ok = searchNames(m, ok)
		case m.Key == "except":
			except, ok = searchNames(m, ok)
			ok = ok && except != nil
		case m.Key == "key-order":
			ok = false
		}
	}
	v.Names = params
	if v.All {
		v.Names = except
	} else if except != nil {
		ok = false // except has nothing to be an exception from
	}
	if !ok || !v.AnyOrder && !v.All && len(v.Names) == 0 {
		return SearchVariance{}, false
	}
	return v, true
}

// searchNames returns the names in an inner list, in order and decoded as those of a query are; never nil when valid.
func searchNames(m Member, ok bool) ([]string, bool) {
	texts, valid := m.InnerStrings()
	names := make([]string, len(texts))
	for i, text := range texts {
		names[i] = decodeQuery(text)
	}
	slices.Sort(names)
	return slices.Compact(names), ok && valid
}

// AppendCanonical appends a query in a form that is the same for queries that are as good as each other.
func (v *SearchVariance) AppendCanonical(dst []byte, query string) []byte {
	var kept [][2]string
	for parameter := range strings.SplitSeq(query, "&") {
		if parameter == "" {
			continue
		}
		name, value, _ := strings.Cut(parameter, "=")
		if name = decodeQuery(name); v.matters(name) {
			kept = append(kept, [2]string{name, decodeQuery(value)})
		}
	}
	if v.AnyOrder {
		slices.SortStableFunc(kept, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	}
	for i, parameter := range kept {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, url.QueryEscape(parameter[0])...)
		dst = append(dst, '=')
		dst = append(dst, url.QueryEscape(parameter[1])...)
	}
	return dst
}

func (v *SearchVariance) matters(name string) bool {
	_, named := slices.BinarySearch(v.Names, name)
	return named == v.All
}

// String is the same for variances that say the same, and holds no control characters.
func (v *SearchVariance) String() string {
	var b strings.Builder
	if v.AnyOrder {
		b.WriteString("key-order ")
	}
	if v.All {
		b.WriteString("all but")
	} else {
		b.WriteString("all with")
	}
	for _, name := range v.Names {
		b.WriteByte(' ')
		b.WriteString(url.QueryEscape(name))
	}
	return b.String()
}

// decodeQuery decodes a name or value of a query. What is no escape stays as it is, octet for octet.
func decodeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return strings.ReplaceAll(s, "+", " ")
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
