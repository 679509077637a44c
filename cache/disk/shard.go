package disk

import "sync"

// dirShard is a part of the directory.
type dirShard struct {
	mu    sync.RWMutex // guards the following fields
	first map[uint64]uint32
	pages []*[pageSlots]slot
	used  uint32 // slots that were ever taken
	free  uint32 // the first slot that is free again, none for none
}

// pageSlots is how many slots are allocated at once: growing copies nothing and leaves little unused.
const pageSlots = 256

func (sh *dirShard) at(i uint32) *slot { return &sh.pages[i/pageSlots][i%pageSlots] }

func (sh *dirShard) start(print uint64) uint32 {
	if i, ok := sh.first[print]; ok {
		return i
	}
	return none
}

func (sh *dirShard) find(print, variant uint64) uint32 {
	i := sh.start(print)
	for i != none && sh.at(i).variant != variant {
		i = sh.at(i).next
	}
	return i
}

// take returns a free slot.
func (sh *dirShard) take() uint32 {
	i := sh.free
	if i == none {
		return sh.grow()
	}
	sh.free = sh.at(i).next
	return i
}

func (sh *dirShard) grow() uint32 {
	if sh.used%pageSlots == 0 {
		sh.pages = append(sh.pages, new([pageSlots]slot))
	}
	sh.used++
	return sh.used - 1
}

// oldest is where the oldest record of a list is, and how many there are.
func (sh *dirShard) oldest(print uint64) (oldest place, count int) {
	oldest = place{none, none}
	for i := sh.start(print); i != none; i = sh.at(i).next {
		count++
		if at := sh.at(i).place; at.before(oldest) {
			oldest = at
		}
	}
	return oldest, count
}
