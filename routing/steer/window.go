package steer

// windowLen is how far behind the newest counter one may come: sockets share a counter, and each sends up to maxSegments
// at a time.
const windowLen = 4096

// window remembers which counters came. Its owner is one goroutine. The zero value has seen none.
type window struct {
	newest uint64
	seen   [windowLen / 64]uint64 // a ring of bits
}

// accept says whether a counter comes for the first time, and remembers it.
func (w *window) accept(counter uint64) bool {
	if counter > w.newest {
		w.advance(counter)
	} else if w.newest-counter >= windowLen {
		return false
	}
	word, bit := &w.seen[counter/64%uint64(len(w.seen))], uint64(1)<<(counter%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// advance forgets what the ring must hold anew, up to counter.
func (w *window) advance(counter uint64) {
	if counter-w.newest >= windowLen {
		w.seen = [windowLen / 64]uint64{}
	} else {
		for c := w.newest + 1; c <= counter; c++ {
			w.seen[c/64%uint64(len(w.seen))] &^= 1 << (c % 64)
		}
	}
	w.newest = counter
}
