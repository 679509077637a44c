package steer

// pmtuSteps are the sizes of packets, with IP's header, that are tried towards a peer: the least of IPv6, what common
// tunnels leave of Ethernet, Ethernet, and jumbo frames.
var pmtuSteps = [...]int{1280, 1340, 1380, 1420, 1460, 1492, 1500, 9000}

// Of the search for a path's MTU.
const (
	pmtuLosses = 3  // probes of a size that must be lost for it not to fit
	pmtuRest   = 60 // probes of the size that fits before a larger one is tried again
)

// pmtu finds the path's MTU by probes of growing size, each of which is answered or lost (RFC 8899 in small). Its owner is
// one goroutine. The zero value knows nothing.
type pmtu struct {
	fits   int // steps that are known to fit
	larger bool
	losses int // of the size under trial, one after the other
	rest   int // probes before a larger size is tried
}

// size is what is known to fit, in octets; 0: nothing yet.
func (p *pmtu) size() int {
	if p.fits == 0 {
		return 0
	}
	return pmtuSteps[p.fits-1]
}

// next is the size of the next probe. What fits and what may are tried in turn.
func (p *pmtu) next() int {
	p.larger = p.fits == 0 || p.grows()
	if p.larger {
		return pmtuSteps[p.fits]
	}
	p.rest = max(p.rest-1, 0)
	return p.size()
}

// grows says whether a larger size is to be tried.
func (p *pmtu) grows() bool { return p.fits < len(pmtuSteps) && p.rest == 0 }

// answered is told that the last probe was.
func (p *pmtu) answered() {
	p.losses = 0
	if p.larger {
		p.fits++
	}
}

// lost is told that the last probe wasn't, while shorter messages were.
func (p *pmtu) lost() {
	if p.losses++; p.losses < pmtuLosses {
		return
	}
	p.losses = 0
	if p.larger {
		p.rest = pmtuRest
	} else {
		p.fits--
	}
}
