package bgp

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// gracefulShutdown is the community GRACEFUL_SHUTDOWN, 65535:0 (RFC 8326).
const gracefulShutdown community = 0xffff0000

// wellKnown are the communities that have names.
var wellKnown = map[string]community{
	"graceful-shutdown": gracefulShutdown,
	"blackhole":         0xffff029a, // RFC 7999
	"no-export":         0xffffff01, // RFC 1997
	"no-advertise":      0xffffff02, // RFC 1997
}

// community is a community of RFC 1997: an AS and a value, 16 bits each.
type community uint32

func (c community) String() string { return fmt.Sprintf("%d:%d", c>>16, c&0xffff) }

// largeCommunity is a community of RFC 8092: an AS and two values, 32 bits each.
type largeCommunity [3]uint32

func (c largeCommunity) String() string { return fmt.Sprintf("%d:%d:%d", c[0], c[1], c[2]) }

// communities are communities of both kinds, each sorted and without repetition once normalised.
type communities struct {
	standard []community
	large    []largeCommunity
}

// add reads one community as the operator writes it: a well-known name, "ASN:VALUE" or "a:b:c".
func (cs *communities) add(text string) error {
	if c, ok := wellKnown[text]; ok {
		cs.standard = append(cs.standard, c)
		return nil
	}
	parts := strings.Split(text, ":")
	switch len(parts) {
	case 2:
		v, ok := numbers(parts, 16)
		if !ok {
			return fmt.Errorf("%q: both numbers of a community lie between 0 and 65535; a:b:c, a large community, takes greater ones", text)
		}
		cs.standard = append(cs.standard, community(v[0]<<16|v[1]))
		return nil
	case 3:
		v, ok := numbers(parts, 32)
		if !ok {
			return fmt.Errorf("%q: the numbers of a large community lie between 0 and 4294967295", text)
		}
		if v[0] == markerAS {
			return fmt.Errorf("%q: large communities of AS %d are reserved (RFC 7300) and used internally", text, uint32(markerAS))
		}
		cs.large = append(cs.large, largeCommunity(v))
		return nil
	}
	return fmt.Errorf("%q is not a community: write ASN:VALUE, a:b:c, no-export, no-advertise, graceful-shutdown or blackhole", text)
}

// readCommunities reads a list of them; report gets each mistake under its key.
func readCommunities(list []string, report func(key, problem string)) (cs communities) {
	for i, text := range list {
		if err := cs.add(text); err != nil {
			report(fmt.Sprintf("communities[%d]", i), err.Error())
		}
	}
	cs.normalise()
	return cs
}

// with returns the communities of both.
func (cs communities) with(more communities) communities {
	all := communities{slices.Concat(cs.standard, more.standard), slices.Concat(cs.large, more.large)}
	all.normalise()
	return all
}

// numbers reads decimal numbers of the given bits.
func numbers(parts []string, bits int) ([]uint32, bool) {
	list := make([]uint32, len(parts))
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, bits)
		if err != nil {
			return nil, false
		}
		list[i] = uint32(n)
	}
	return list, true
}

// normalise sorts and removes repetitions, so that the same set is the same value.
func (cs *communities) normalise() {
	slices.Sort(cs.standard)
	cs.standard = slices.Compact(cs.standard)
	slices.SortFunc(cs.large, func(a, b largeCommunity) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]))
	})
	cs.large = slices.Compact(cs.large)
}
