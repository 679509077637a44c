package bgp

import (
	"hash/fnv"
	"slices"
	"strings"
)

// maxClasses bounds the markers that a peer's statements must know: one for each set of classes without its own.
const maxClasses = 5

// classes are those that peers have, sorted.
func classes(peers []Peer) []string {
	var list []string
	for i := range peers {
		if c := peers[i].Class; c != "" {
			list = append(list, c)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// audience names in a marker whom a path is for: everyPeer, or all but those of the withheld classes. It depends on the
// classes' names alone, so that a reload that adds another changes no path.
func audience(withheld []string) uint32 {
	if len(withheld) == 0 {
		return everyPeer
	}
	h := fnv.New32a()
	h.Write([]byte(strings.Join(slices.Sorted(slices.Values(withheld)), "\n")))
	return max(h.Sum32(), everyPeer+1)
}

// audiencesWith are those that a peer of class belongs to, of all that can be made of classes.
func audiencesWith(class string, classes []string) []uint32 {
	others := slices.DeleteFunc(slices.Clone(classes), func(c string) bool { return c == class })
	var list []uint32
	for set := range 1 << len(others) {
		var withheld []string
		for i, c := range others {
			if set&(1<<i) != 0 {
				withheld = append(withheld, c)
			}
		}
		list = append(list, audience(withheld))
	}
	return list
}
