package httpfield

import "strings"

// ParseSurrogate parses Surrogate-Control, of the Edge Architecture: max-age, which may have "+" and how long the response
// may be used beyond it while it is validated, or if that fails; no-store and no-store-remote, which mean the same to a
// cache far from the origin. content, what is unknown, and what names one surrogate by a parameter, is ignored. ok is
// false when nothing is left.
func ParseSurrogate(s string) (c CacheControl, ok bool) {
	for element, rest := Next(s); element != ""; element, rest = Next(rest) {
		name, argument, hasArgument := strings.Cut(element, "=")
		switch {
		case strings.IndexByte(element, ';') >= 0:
		case strings.EqualFold(name, "no-store"), strings.EqualFold(name, "no-store-remote"):
			c.Has |= NoStore
		case strings.EqualFold(name, "max-age") && !c.Is(MaxAge):
			c.addSurrogateAge(argument, hasArgument)
		}
	}
	return c, c.Has != 0
}

func (c *CacheControl) addSurrogateAge(argument string, hasArgument bool) {
	if content, quoted := Unquote(argument); quoted {
		argument = content
	}
	age, extension, extended := strings.Cut(argument, "+")
	c.AddDirective("max-age", age, hasArgument)
	if extended {
		c.AddDirective("stale-while-revalidate", extension, true)
		c.AddDirective("stale-if-error", extension, true)
	}
}
