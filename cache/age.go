package cache

import (
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// initialAge is a response's age when it came, RFC 9111 §4.2.3: what Age said with the time the request took, or what
// Date tells, whichever is more. Date has whole seconds, and so has the time that it is compared with: a response that comes
// at once is no second old, however late in its second.
func initialAge(r *received) time.Duration {
	apparent := r.at.Truncate(time.Second).Sub(r.date)
	corrected := ageValue(r.fields) + max(r.at.Sub(r.requested), 0)
	return clamp(max(apparent, corrected))
}

// ageValue is what Age says, RFC 9111 §5.1: the first member counts, and one that isn't a number doesn't.
func ageValue(f FieldReader) time.Duration {
	line, _ := f.Line("Age", 0)
	first, _ := httpfield.Next(line)
	n, _ := httpfield.ParseDelta(first)
	return seconds(n)
}
