package bgp

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/anyedge/anyedge/routing"
)

// defaultLocalPref is what an iBGP peer gets where a level says nothing: the usual default of routers.
const defaultLocalPref = 100

// maxPrepend bounds AS_PATH: each prepend halves nobody's traffic any more, and some networks drop long paths.
const maxPrepend = 10

// attributeSet is what a level adds to an announcement, read and checked. It is never changed once made.
type attributeSet struct {
	prepend   uint8
	med       uint32 // 0: no MED
	localPref uint32
	communities
}

// newAttributeSet reads a; report gets every mistake under its key within the level.
func newAttributeSet(a Attributes, report func(key, problem string)) attributeSet {
	s := attributeSet{prepend: a.Prepend, med: a.MED, localPref: defaultLocalPref}
	if a.Prepend > maxPrepend {
		report("prepend", fmt.Sprintf("must be at most %d: long AS_PATHs are dropped by some networks", maxPrepend))
	}
	if a.LocalPref != nil {
		s.localPref = *a.LocalPref
	}
	s.communities = readCommunities(a.Communities, report)
	if a.GracefulShutdown {
		s.communities = s.with(communities{standard: []community{gracefulShutdown}})
	}
	return s
}

// blackholes is what a route to a single address that shall be dropped has: BLACKHOLE, and NO_EXPORT, since who dropped it
// elsewhere would do so for others than its own customers (RFC 7999 §3.2).
func blackholes() attributeSet {
	return newAttributeSet(Attributes{Communities: []string{"blackhole", "no-export"}}, nil)
}

// String is the canonical form: equal sets have equal strings.
func (s attributeSet) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "prepend %d, med %d, local_pref %d, communities %v, large %v", s.prepend, s.med, s.localPref, s.standard, s.large)
	return b.String()
}

// fingerprint names the set in a marker.
func (s attributeSet) fingerprint() uint32 {
	h := fnv.New32a()
	h.Write([]byte(s.String()))
	return h.Sum32()
}

// ladder is the attribute set of each level that is announced.
type ladder [routing.Withdrawn]attributeSet

// newLadder reads every level. A level that isn't configured is announced like the one below it.
func newLadder(levels map[int]Attributes, report func(key, problem string)) ladder {
	var l ladder
	below := newAttributeSet(Attributes{}, nil)
	for i := range l {
		if a, ok := levels[i]; ok {
			below = newAttributeSet(a, func(key, problem string) { report(fmt.Sprintf("levels.%d.%s", i, key), problem) })
		}
		l[i] = below
	}
	return l
}
