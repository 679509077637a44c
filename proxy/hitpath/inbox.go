package hitpath

const (
	// firstRoom is what every connection has room for, in octets: the requests of simple clients. It is all the room of one
	// that waits.
	firstRoom = 512
	// moreRoom is the room for a head that doesn't fit there, in octets, and for pipelined requests: a TLS record's. Longer
	// heads are net/http's.
	moreRoom = 16 << 10
)

// inbox is what has come on a connection, and isn't answered.
type inbox struct {
	first [firstRoom]byte
	more  *[moreRoom]byte // in place of first; nil: that is enough
	have  int
}

func (b *inbox) room() []byte {
	if b.more != nil {
		return b.more[:]
	}
	return b.first[:]
}

// octets are what there is.
func (b *inbox) octets() []byte { return b.room()[:b.have] }

// space is where more goes; empty when there is no room.
func (b *inbox) space(s *Server) []byte {
	if b.have == firstRoom && b.more == nil {
		b.more = s.moreRoom()
		copy(b.more[:], b.first[:])
	}
	return b.room()[b.have:]
}

// add appends octets, as many as fit.
func (b *inbox) add(s *Server, octets []byte) {
	for len(octets) > 0 {
		n := copy(b.space(s), octets)
		if n == 0 {
			return
		}
		b.have += n
		octets = octets[n:]
	}
}

// drop takes the first n octets away.
func (b *inbox) drop(s *Server, n int) {
	rest := b.octets()[n:]
	b.have = copy(b.room(), rest)
	if b.have == 0 && b.more != nil {
		s.rooms.Put(b.more)
		b.more = nil
	}
}
