package message

import "strings"

// DefaultUrgency is that of RFC 9218, section 4.1.
const DefaultUrgency = 3

// Priority reads a Priority field (RFC 9218, section 4). Of what isn't understood the defaults stay.
func Priority(value string) (urgency int8, incremental bool) {
	urgency = DefaultUrgency
	for member := range strings.SplitSeq(value, ",") {
		member, _, _ = strings.Cut(member, ";")
		key, item, _ := strings.Cut(strings.TrimSpace(member), "=")
		switch {
		case key == "u" && len(item) == 1 && item[0] >= '0' && item[0] <= '7':
			urgency = int8(item[0] - '0')
		case key == "i":
			incremental = item == "" || item == "?1"
		}
	}
	return urgency, incremental
}
