package rpki

import (
	"fmt"
	"net/netip"
)

// State is the outcome of route origin validation, RFC 6811 §2.
type State uint8

// The states.
const (
	NotFound State = iota // no VRP covers the prefix
	Valid                 // a VRP matches it
	Invalid               // VRPs cover it, none matches
)

var stateNames = [...]string{"not found", "valid", "invalid"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// VRP is a validated ROA payload: ASN may originate Prefix, and what is in it up to MaxLength bits.
type VRP struct {
	Prefix    netip.Prefix
	MaxLength int
	ASN       uint32 // 0 for nobody, RFC 6483 §4
}

// VRPs are payloads to validate by.
type VRPs []VRP

// Validate says whether origin may announce p, and which VRPs cover it.
func (v VRPs) Validate(p netip.Prefix, origin uint32) (State, VRPs) {
	state, covering := NotFound, VRPs(nil)
	for _, r := range v {
		if !covers(r.Prefix, p) {
			continue
		}
		covering = append(covering, r)
		if r.ASN == origin && origin != 0 && p.Bits() <= r.MaxLength {
			state = Valid
		}
	}
	if state == NotFound && len(covering) > 0 {
		state = Invalid
	}
	return state, covering
}

func covers(r, p netip.Prefix) bool { return r.Bits() <= p.Bits() && r.Overlaps(p) }

func (r VRP) String() string {
	return fmt.Sprintf("%s up to /%d by AS%d", r.Prefix, r.MaxLength, r.ASN)
}
