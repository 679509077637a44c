package proxy

import (
	"net/url"
	"strings"
)

// Path confusion
//
// The path chooses a rule: which origin, and whether to cache. The origin reads the same path by its own lights, and
// an attacker who finds a path that we take for /static/x.css and the origin for /account gets the victim's account
// into the cache (cache deception), or past a rule. So a path is read twice:
//
//   - strictly, as RFC 3986 has it: segments split at "/", then each decoded; %2F is data;
//   - loosely, as the most obliging origin would: decoded as often as there is something to decode, "\" as "/",
//     ";parameters" cut off each segment, and everything after a decoded "?" or "#" cut off.
//
// Both drop empty and "." segments, as nginx does for its locations: links with // in them are too common to refuse, and
// an origin that tells them apart can say by Cache-Control what it wants. When the two lead to different rules, the request
// is refused with 400: see chooseSite. Every other reading lies between the two: rules hold none of these characters,
// so decoding and cutting more can lengthen the match but never shorten it. Hence a path on which the two agree can't
// be confused.
//
// What holds for this argument, and is refused with 400 in any case:
//
//   - a ".." segment in either reading: browsers and libraries resolve them before they send a request;
//   - control characters, NUL among them, encoded or not: strings end there, lines break there.
//
// Whatever passes is forwarded as it came, octet for octet: %2F stays %2F, // stays //. Case is not folded: an origin
// that ignores it needs a rule for each spelling.

// suspicious are the octets that the readings differ on.
const suspicious = "%\\;"

// readPath returns both readings of target's path, or false when it is refused. Either begins with "/" and has neither
// empty nor dot segments; * is read as /.
func readPath(target string) (strict, loose string, ok bool) {
	if target == "*" {
		return "/", "/", true
	}
	raw, _, _ := strings.Cut(target, "?")
	if isPlainPath(raw) {
		return raw, raw, true
	}
	strict, ok = readStrictly(raw)
	if !ok {
		return "", "", false
	}
	if loose, ok = readLoosely(raw); !ok {
		return "", "", false
	}
	return strict, loose, true
}

// isPlainPath reports whether a path is the same in both readings, and in every one between.
func isPlainPath(raw string) bool {
	return !hasControls(raw) && !strings.ContainsAny(raw, suspicious) && !strings.Contains(raw, "//") && !strings.Contains(raw, "/.")
}

// readStrictly decodes each segment on its own; a slash in one stays %2F.
func readStrictly(raw string) (string, bool) {
	var b strings.Builder
	for segment := range strings.SplitSeq(raw, "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil || hasControls(decoded) || decoded == ".." {
			return "", false
		}
		appendSegment(&b, strings.ReplaceAll(decoded, "/", "%2F"))
	}
	return rooted(&b), true
}

// readLoosely decodes until nothing changes, then splits at either slash. Segments behind a "?" are not matched, but an
// origin that doesn't cut there would still climb by them.
func readLoosely(raw string) (string, bool) {
	decoded := decodeFully(raw)
	if hasControls(decoded) {
		return "", false
	}
	var b strings.Builder
	cut := false
	for segment := range strings.SplitSeq(strings.ReplaceAll(decoded, `\`, "/"), "/") {
		name := segment
		if i := strings.IndexAny(segment, ";?#"); i >= 0 {
			name = segment[:i]
		}
		if name == ".." {
			return "", false
		}
		if !cut {
			appendSegment(&b, name)
		}
		cut = cut || strings.ContainsAny(segment, "?#")
	}
	return rooted(&b), true
}

// decodeFully decodes %XX until there is none, in one pass: an octet that completes a triplet at the end of what was
// decoded so far becomes part of it. A stray % stays.
func decodeFully(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		b = append(b, s[i])
		for n := len(b); n >= 3 && b[n-3] == '%' && isHex(b[n-2]) && isHex(b[n-1]); n = len(b) {
			b = append(b[:n-3], fromHex(b[n-2])<<4|fromHex(b[n-1]))
		}
	}
	return string(b)
}

func appendSegment(b *strings.Builder, segment string) {
	if segment == "" || segment == "." {
		return
	}
	b.WriteByte('/')
	b.WriteString(segment)
}

func rooted(b *strings.Builder) string {
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

func hasControls(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func fromHex(b byte) byte {
	switch {
	case b <= '9':
		return b - '0'
	case b <= 'F':
		return b - 'A' + 10
	}
	return b - 'a' + 10
}
