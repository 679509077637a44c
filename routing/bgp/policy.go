package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"
)

// Names within GoBGP's policies.
const (
	importPolicy = "import"
	exportPolicy = "export"
)

// markers matches every marker, and nothing else that a path may carry.
var markers = fmt.Sprintf("^%d:", uint32(markerAS))

// policyInput is all that the policies depend on.
type policyInput struct {
	asn     uint32
	peers   []neighbor
	allowed []netip.Prefix
	sets    []attributeSet // every set that a path may be marked with
	classes []string       // every class of peers that a path may be withheld from
}

// policies compiles in to GoBGP's policies: the whole of what may be imported and exported.
//
// The import policy accepts what is our own (AddPath passes it as well) and nothing else. The export policy has a
// statement for each peer and attribute set; a path leaves only by one that matches its prefix with the exact mask, its
// local origin, the peer and the marker. Everything else meets the assignments' default, which rejects. A route to a
// single address leaves by a statement that only peers which take blackholes have.
func policies(in policyInput) *api.SetPoliciesRequest {
	req := &api.SetPoliciesRequest{Policies: []*api.Policy{{Name: importPolicy, Statements: []*api.Statement{{
		Name:       "our own",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
	}}}}}
	req.DefinedSets = append(allowedSets(in.allowed), markerSets(in)...)
	req.DefinedSets = append(req.DefinedSets, hostSets(in.allowed)...)
	req.DefinedSets = append(req.DefinedSets, blackholeSet())
	export := &api.Policy{Name: exportPolicy}
	for i := range in.peers {
		p := &in.peers[i]
		// An empty prefix set must not exist: without the statement there is no match and so no export.
		if !slices.ContainsFunc(in.allowed, func(a netip.Prefix) bool { return a.Addr().Is4() == p.Address.Is4() }) {
			continue
		}
		req.DefinedSets = append(req.DefinedSets, neighborSet(&p.Peer))
		if len(p.extra.large) > 0 {
			export.Statements = append(export.Statements, extraStatement(p))
		}
		for _, set := range in.sets {
			export.Statements = append(export.Statements, exportStatement(in.asn, p, set))
		}
		if p.Blackhole {
			export.Statements = append(export.Statements, blackholeStatement(in.asn, p))
		}
	}
	req.Policies = append(req.Policies, export)
	return req
}

// assignments put the policies into force for all peers: what they don't accept is rejected.
func assignments() []*api.PolicyAssignment {
	return []*api.PolicyAssignment{
		{
			Direction:     api.PolicyDirection_POLICY_DIRECTION_IMPORT,
			Policies:      []*api.Policy{{Name: importPolicy}},
			DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
		},
		{
			Direction:     api.PolicyDirection_POLICY_DIRECTION_EXPORT,
			Policies:      []*api.Policy{{Name: exportPolicy}},
			DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
		},
	}
}

// exportStatement lets one peer have the allowed prefixes that carry set's marker, with set's attributes.
func exportStatement(asn uint32, p *neighbor, set attributeSet) *api.Statement {
	name := fmt.Sprintf("%s %08x", p.Address, set.fingerprint())
	return &api.Statement{
		Name: name,
		Conditions: &api.Conditions{
			PrefixSet:         anyOf(allowedName(p.Address)),
			NeighborSet:       anyOf(p.Address.String()),
			RouteType:         api.Conditions_ROUTE_TYPE_LOCAL,
			LargeCommunitySet: anyOf(markerName(set, p.Class)),
		},
		Actions: exportActions(asn, p, set),
	}
}

// blackholeStatement lets a peer have the single addresses that it shall drop.
func blackholeStatement(asn uint32, p *neighbor) *api.Statement {
	s := exportStatement(asn, p, blackholes())
	s.Name = fmt.Sprintf("%s blackhole", p.Address)
	s.Conditions.PrefixSet = anyOf(hostsName(p.Address))
	s.Conditions.LargeCommunitySet = anyOf(blackholeMarker)
	return s
}

// extraStatement adds a peer's own large communities to what later statements may let through.
func extraStatement(p *neighbor) *api.Statement {
	extra := &api.CommunityAction{Type: api.CommunityAction_TYPE_ADD}
	for _, c := range p.extra.large {
		extra.Communities = append(extra.Communities, c.String())
	}
	return &api.Statement{
		Name:       fmt.Sprintf("%s extra", p.Address),
		Conditions: &api.Conditions{NeighborSet: anyOf(p.Address.String()), RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{LargeCommunity: extra},
	}
}

// exportActions make of what the path carries what p gets: the marker stays here.
func exportActions(asn uint32, p *neighbor, set attributeSet) *api.Actions {
	a := &api.Actions{
		RouteAction:    api.RouteAction_ROUTE_ACTION_ACCEPT,
		Community:      replaceBy(set.with(p.extra).standard),
		LargeCommunity: &api.CommunityAction{Type: api.CommunityAction_TYPE_REMOVE, Communities: []string{markers}},
	}
	if set.med > 0 {
		a.Med = &api.MedAction{Type: api.MedAction_TYPE_REPLACE, Value: int64(set.med)}
	}
	if p.NextHop.IsValid() {
		a.Nexthop = &api.NexthopAction{Address: p.NextHop.String()}
	}
	if p.ASN == asn {
		a.LocalPref = &api.LocalPrefAction{Value: set.localPref}
	} else if set.prepend > 0 {
		a.AsPrepend = &api.AsPrependAction{Asn: asn, Repeat: uint32(set.prepend)}
	}
	return a
}

func replaceBy[C fmt.Stringer](list []C) *api.CommunityAction {
	a := &api.CommunityAction{Type: api.CommunityAction_TYPE_REPLACE}
	for _, c := range list {
		a.Communities = append(a.Communities, c.String())
	}
	return a
}

// allowedSets are the prefixes that may leave, with exact masks, one set for each family that has any.
func allowedSets(allowed []netip.Prefix) []*api.DefinedSet {
	return prefixSets(allowed, allowedName, netip.Prefix.Bits)
}

// hostSets are the single addresses within them, likewise.
func hostSets(allowed []netip.Prefix) []*api.DefinedSet {
	return prefixSets(allowed, hostsName, func(p netip.Prefix) int { return p.Addr().BitLen() })
}

// prefixSets are what lies in the prefixes and has one mask.
func prefixSets(prefixes []netip.Prefix, named func(netip.Addr) string, mask func(netip.Prefix) int) []*api.DefinedSet {
	byName := map[string]*api.DefinedSet{}
	var sets []*api.DefinedSet
	for _, p := range prefixes {
		name := named(p.Addr())
		if byName[name] == nil {
			byName[name] = &api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_PREFIX, Name: name}
			sets = append(sets, byName[name])
		}
		exact := uint32(mask(p))
		byName[name].Prefixes = append(byName[name].Prefixes, &api.Prefix{IpPrefix: p.String(), MaskLengthMin: exact, MaskLengthMax: exact})
	}
	return sets
}

// blackholeSet is the marker of routes to single addresses that shall be dropped.
func blackholeSet() *api.DefinedSet {
	return &api.DefinedSet{
		DefinedType: api.DefinedType_DEFINED_TYPE_LARGE_COMMUNITY, Name: blackholeMarker,
		List: []string{marker(everyPeer, blackholes().fingerprint()).String()},
	}
}

// markerSets are for each attribute set and class of peers the markers by which they get a path.
func markerSets(in policyInput) []*api.DefinedSet {
	var list []*api.DefinedSet
	for _, class := range append([]string{""}, in.classes...) {
		audiences := audiencesWith(class, in.classes)
		for _, s := range in.sets {
			set := &api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_LARGE_COMMUNITY, Name: markerName(s, class)}
			for _, a := range audiences {
				set.List = append(set.List, marker(a, s.fingerprint()).String())
			}
			list = append(list, set)
		}
	}
	return list
}

func neighborSet(p *Peer) *api.DefinedSet {
	return &api.DefinedSet{
		DefinedType: api.DefinedType_DEFINED_TYPE_NEIGHBOR,
		Name:        p.Address.String(),
		List:        []string{netip.PrefixFrom(p.Address.WithZone(""), p.Address.BitLen()).String()},
	}
}

func anyOf(name string) *api.MatchSet { return &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: name} }

func allowedName(a netip.Addr) string {
	if a.Is4() {
		return "allowed IPv4"
	}
	return "allowed IPv6"
}

func hostsName(a netip.Addr) string { return "hosts in " + allowedName(a) }

// blackholeMarker names the set with the marker of routes to single addresses.
const blackholeMarker = "marker blackhole"

func markerName(s attributeSet, class string) string {
	return fmt.Sprintf("marker %08x %q", s.fingerprint(), class)
}
