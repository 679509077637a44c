package encoding

import "strings"

// Coding is a content coding that this package knows.
type Coding uint8

// The codings.
const (
	Identity Coding = iota // none
	Brotli
	Zstd
	Gzip
	// Count is how many there are.
	Count = iota
)

var names = [Count]string{"identity", "br", "zstd", "gzip"}

// String is the coding's name in fields.
func (c Coding) String() string { return names[c] }

// parse returns the coding of that name, which is case-insensitive, RFC 9110 §8.4.1; x-gzip is gzip, §8.4.1.3.
func parse(name string) (Coding, bool) {
	for c, n := range names {
		if strings.EqualFold(name, n) {
			return Coding(c), true
		}
	}
	return Gzip, strings.EqualFold(name, "x-gzip")
}

// Set is a set of codings.
type Set uint8

// SetOf returns the set of these codings.
func SetOf(list ...Coding) (s Set) {
	for _, c := range list {
		s |= 1 << c
	}
	return s
}

// Has tells whether c is in the set.
func (s Set) Has(c Coding) bool { return s&(1<<c) != 0 }

var sets = func() (text [1 << Count]string) {
	for s := range text {
		var list []string
		for c, name := range names {
			if Set(s).Has(Coding(c)) {
				list = append(list, name)
			}
		}
		text[s] = strings.Join(list, ", ")
	}
	return text
}()

// String is the list of the set's codings as Accept-Encoding has it, in one order for all.
func (s Set) String() string { return sets[s&(1<<Count-1)] }

// ParseSet returns the set whose String is text.
func ParseSet(text string) (Set, bool) {
	for s, t := range sets {
		if t == text {
			return Set(s), true
		}
	}
	return 0, false
}
