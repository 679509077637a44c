package httpfield

import "strconv"

// ParseTargeted parses a targeted cache control field, RFC 9213 §2.1; the lines of the field are joined by commas
// beforehand. ok is false when it must be ignored: it is malformed or empty. A directive whose value is of the wrong
// type counts as one with a malformed argument.
func ParseTargeted(s string) (c CacheControl, ok bool) {
	members, ok := ParseDictionary(s)
	if !ok || len(members) == 0 {
		return c, false
	}
	for _, m := range members {
		c.addMember(m)
	}
	return c, true
}

func (c *CacheControl) addMember(m Member) {
	switch d := lookupDirective(m.Key); {
	case m.Kind == KindBoolean && m.Int == 0: // directive=?0 says that it isn't there
	case m.Kind == KindBoolean:
		c.AddDirective(m.Key, "", false)
	case m.Kind == KindInteger:
		c.AddDirective(m.Key, strconv.FormatInt(m.Int, 10), true)
	case d == NoCache || d == Private:
		c.AddDirective(m.Key, m.Str, true)
	default:
		c.AddDirective(m.Key, "", true)
	}
}
