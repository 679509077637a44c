package memory

// ghostWays is how many places a hash may be in.
const ghostWays = 4

// ghosts remembers slots that were evicted unused, as long as about as many more as there are slots were so evicted. It
// knows them by 32 bits of their hash, and forgets a few early.
type ghosts struct {
	places []ghost
	added  uint32
}

type ghost struct {
	mark uint32 // of the hash, never 0
	at   uint32 // the count when it was added
}

// add remembers a slot; slots is how many there are.
func (g *ghosts) add(hash uint64, slots int) {
	if len(g.places) < slots || g.places == nil {
		g.places = make([]ghost, roomFor(slots))
	}
	g.added++
	ways := g.ways(hash)
	oldest := &ways[0]
	for i := range ways {
		if g.age(&ways[i]) > g.age(oldest) {
			oldest = &ways[i]
		}
	}
	*oldest = ghost{markOf(hash), g.added}
}

// take tells whether a slot is remembered, and forgets it.
func (g *ghosts) take(hash uint64, slots int) bool {
	if g.places == nil {
		return false
	}
	ways := g.ways(hash)
	for i := range ways {
		if w := &ways[i]; w.mark == markOf(hash) {
			known := g.age(w) < uint32(slots)
			*w = ghost{}
			return known
		}
	}
	return false
}

// age is how many were added since; a place that is free is the oldest.
func (g *ghosts) age(w *ghost) uint32 {
	if w.mark == 0 {
		return ^uint32(0)
	}
	return g.added - w.at
}

func (g *ghosts) ways(hash uint64) []ghost {
	at := int(hash%uint64(len(g.places))) &^ (ghostWays - 1)
	return g.places[at : at+ghostWays]
}

func markOf(hash uint64) uint32 { return uint32(hash>>32) | 1 }

// roomFor is a power of two with room for twice as many as there are, so that it needn't grow soon.
func roomFor(slots int) int {
	n := 1024
	for n < slots+slots/4 {
		n *= 2
	}
	return n
}
