package lab

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// gracefulShutdown is the community GRACEFUL_SHUTDOWN (RFC 8326 §4) as routers print it.
const gracefulShutdown = "65535:0"

// Path is what a router learnt of a prefix from one neighbour.
type Path struct {
	From        netip.Addr // the neighbour
	Best        bool
	ASPath      []uint32
	MED         uint32
	LocalPref   uint32
	Communities []string // "64500:1"
}

// GracefulShutdown says whether the neighbour asks not to be used while there is another way.
func (p Path) GracefulShutdown() bool { return slices.Contains(p.Communities, gracefulShutdown) }

func (p Path) String() string {
	return fmt.Sprintf("from %s as-path %v med %d local-pref %d communities %v best %t",
		p.From, p.ASPath, p.MED, p.LocalPref, p.Communities, p.Best)
}

// birdRoute begins a path in BIRD's `show route all`:
//
//	198.51.100.0/24      unicast [ams1_v4 12:00:00.000] * (100) [AS64512i]
var birdRoute = regexp.MustCompile(`^\S*\s+unicast \[\S+ [^\]]*\]( \*)?`)

// parseBIRD reads the paths of one prefix from `show route for PREFIX all`.
func parseBIRD(text string) []Path {
	var paths []Path
	for line := range strings.Lines(text) {
		if m := birdRoute.FindStringSubmatch(line); m != nil {
			paths = append(paths, Path{Best: m[1] != ""})
		}
		if len(paths) > 0 {
			paths[len(paths)-1].birdAttribute(strings.TrimSpace(line))
		}
	}
	return paths
}

// birdAttribute takes a line such as `BGP.as_path: 64512 64512` or `via 10.99.4.2 on eth0`.
func (p *Path) birdAttribute(line string) {
	key, value, _ := strings.Cut(line, " ")
	switch key {
	case "via":
		from, _, _ := strings.Cut(value, " ")
		p.From, _ = netip.ParseAddr(from)
	case "BGP.as_path:":
		p.ASPath = numbers(value)
	case "BGP.med:":
		p.MED = number(value)
	case "BGP.local_pref:":
		p.LocalPref = number(value)
	case "BGP.community:":
		for c := range strings.FieldsSeq(value) {
			p.Communities = append(p.Communities, strings.ReplaceAll(strings.Trim(c, "()"), ",", ":"))
		}
	}
}

// frrPrefix is the part of FRR's `show bgp … PREFIX json` that counts here.
type frrPrefix struct {
	Paths []struct {
		ASPath    struct{ String string } `json:"aspath"`
		MED       uint32                  `json:"metric"`
		LocalPref uint32                  `json:"locPrf"`
		Community struct{ List []string } `json:"community"`
		BestPath  struct{ Overall bool }  `json:"bestpath"`
		Peer      struct{ PeerID string } `json:"peer"`
	} `json:"paths"`
}

// parseFRR reads the paths of one prefix from `show bgp ipv4|ipv6 unicast PREFIX json`.
func parseFRR(text string) ([]Path, error) {
	var prefix frrPrefix
	if err := json.Unmarshal([]byte(text), &prefix); err != nil {
		return nil, fmt.Errorf("read what bgpd says: %w", err)
	}
	var paths []Path
	for _, f := range prefix.Paths {
		p := Path{Best: f.BestPath.Overall, ASPath: numbers(f.ASPath.String), MED: f.MED, LocalPref: f.LocalPref}
		p.From, _ = netip.ParseAddr(f.Peer.PeerID)
		for _, c := range f.Community.List {
			if c == "gracefulShutdown" || c == "graceful-shutdown" {
				c = gracefulShutdown
			}
			p.Communities = append(p.Communities, c)
		}
		paths = append(paths, p)
	}
	return paths, nil
}

func numbers(s string) []uint32 {
	var list []uint32
	for word := range strings.FieldsSeq(s) {
		list = append(list, number(word))
	}
	return list
}

func number(s string) uint32 {
	n, _ := strconv.ParseUint(strings.TrimSpace(s), 10, 32) // a router prints numbers
	return uint32(n)
}
