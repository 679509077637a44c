package load

import "strings"

// handled is how an answer came about by its Cache-Status (RFC 9211): hit, or the value of fwd; of several caches, the one
// nearest to the client, which stands last.
func handled(value string) string {
	last := value[strings.LastIndexByte(value, ',')+1:]
	for _, p := range strings.Split(last, ";")[1:] {
		switch name, v, _ := strings.Cut(strings.TrimSpace(p), "="); name {
		case "hit":
			return "hit"
		case "fwd":
			return v
		}
	}
	return ""
}
