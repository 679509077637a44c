package dns01

import (
	"context"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// maxAliases bounds a chain of CNAMEs, in which there may be a loop.
const maxAliases = 8

// delegated is the name in the challenge zone that name is a CNAME for, without a dot at its end (RFC 8555, section 8.4: an
// authority follows them).
func (h *host) delegated(ctx context.Context, name string) (string, error) {
	resolver, err := h.resolver()
	if err != nil {
		return "", err
	}
	at := name
	for range maxAliases {
		answer, err := query(ctx, resolver, at, dns.TypeCNAME, true)
		if err != nil {
			return "", fmt.Errorf("ask %s for what %s is a CNAME for: %w", resolver, at, err)
		}
		target := aliasOf(answer)
		if target == "" {
			return "", fmt.Errorf("ask %s for what %s is a CNAME for: nothing: it needs one for a name in %s, such as %s", resolver, at,
				h.ChallengeZone, strings.TrimPrefix(name, "_acme-challenge.")+"."+h.ChallengeZone)
		}
		if isIn(target, h.ChallengeZone) {
			return target, nil
		}
		at = target
	}
	return "", fmt.Errorf("ask %s for what %s is a CNAME for: %d of them lead to %s, and not into %s", resolver, name, maxAliases, at, h.ChallengeZone)
}

// aliasOf is what the name that m answers for is a CNAME for, in lower case, or empty.
func aliasOf(m *dns.Msg) string {
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, m.Question[0].Name) {
			return strings.ToLower(strings.TrimSuffix(c.Target, "."))
		}
	}
	return ""
}
