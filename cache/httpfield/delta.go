package httpfield

// MaxDelta is the largest number of seconds; greater ones are clamped to it, RFC 9111 §1.2.2.
const MaxDelta = 1 << 31

// ParseDelta parses delta-seconds: digits and nothing else. Values beyond MaxDelta become MaxDelta.
func ParseDelta(s string) (seconds int64, ok bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		seconds = min(10*seconds+int64(s[i]-'0'), MaxDelta)
	}
	return seconds, true
}
