package encoding

import "github.com/anyedge/anyedge/cache/httpfield"

// Accept is what a request's Accept-Encoding says, RFC 9110 §12.5.3. The zero value is a request without that field.
//
// A coding that it lists twice has its first weight. An element that is malformed says nothing, so that nobody gets a
// coding because of a mistake.
type Accept struct {
	weights [Count]weight
	star    weight // of what isn't listed
}

// weight is a qvalue in half thousandths, with 1 added: 0 is none.
type weight uint16

const (
	refused weight = 1        // q=0
	least   weight = 2        // what may be used and nobody asked for: less than q=0.001
	full    weight = 1 + 2000 // q=1
)

// Add adds a line of the field.
func (a *Accept) Add(line string) {
	for element, rest := httpfield.Next(line); element != ""; element, rest = httpfield.Next(rest) {
		name, w, ok := parseElement(element)
		if !ok {
			continue
		}
		if name == "*" {
			a.star = first(a.star, w)
		} else if c, ok := parse(name); ok {
			a.weights[c] = first(a.weights[c], w)
		}
	}
}

func first(a, b weight) weight {
	if a != 0 {
		return a
	}
	return b
}

// of returns a coding's weight. Identity may be used unless it is refused, by name or by "*".
func (a *Accept) of(c Coding) weight {
	switch w := first(a.weights[c], a.star); {
	case w != 0:
		return w
	case c == Identity:
		return least
	}
	return refused
}

// Refuses tells whether a coding may not be used: for Identity that the client wants its content encoded.
func (a *Accept) Refuses(c Coding) bool { return a.of(c) == refused }

// Choose returns the coding that a request gets of those on offer, which stand in the order of preference among those
// that the client weighs alike. Identity is always on offer, preferred least; it is also what a client gets that refuses
// everything, since a content that it may not understand says more than an error.
func (a *Accept) Choose(offer []Coding) Coding {
	best, most := Identity, a.of(Identity)
	for i := len(offer) - 1; i >= 0; i-- {
		if w := a.of(offer[i]); w != refused && w >= most {
			best, most = offer[i], w
		}
	}
	return best
}

// Among returns those of a set that may be used.
func (a *Accept) Among(s Set) (accepted Set) {
	for c := range Coding(Count) {
		if s.Has(c) && !a.Refuses(c) {
			accepted |= SetOf(c)
		}
	}
	return accepted
}

// parseElement parses codings [ weight ], RFC 9110 §12.5.3 and §12.4.2. Other parameters aren't known to the syntax.
func parseElement(element string) (name string, w weight, ok bool) {
	end := 0
	for end < len(element) && element[end] != ';' && element[end] != ' ' && element[end] != '\t' {
		end++
	}
	name, rest := element[:end], httpfield.TrimOWS(element[end:])
	if rest == "" {
		return name, full, httpfield.IsToken(name)
	}
	if rest[0] != ';' {
		return "", 0, false
	}
	w, ok = parseWeight(httpfield.TrimOWS(rest[1:]))
	return name, w, ok && httpfield.IsToken(name)
}

// parseWeight parses "q=" qvalue.
func parseWeight(s string) (weight, bool) {
	if len(s) < 3 || len(s) > 7 || s[0]|0x20 != 'q' || s[1] != '=' || s[2] != '0' && s[2] != '1' {
		return 0, false
	}
	if len(s) > 3 && s[3] != '.' {
		return 0, false
	}
	thousandths := 1000 * int(s[2]-'0')
	for i, unit := 4, 100; i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		thousandths += unit * int(s[i]-'0')
	}
	return weight(1 + 2*thousandths), thousandths <= 1000
}
