package rescue

// Status is what was done since this process started.
type Status struct {
	Device     string // the TUN device's name
	Interfaces int    // whose packets are looked at
	// Looked are segments to VIPs that didn't begin a connection, as the kernel merged them; Missed those without a socket here;
	// Cookies those that answered a SYN cookie.
	Looked, Missed, Cookies uint64
	// Verdicts is what became of those that were missed.
	Verdicts map[Verdict]uint64
	// Injected came from other nodes, and went to this host's sockets.
	Injected uint64
	// Marked are connections whose timestamps say that they are this node's; Unmarked those where that failed.
	Marked, Unmarked uint64
	// Answers are other nodes' questions that this one answered.
	Answers uint64
}

// Status returns what was done.
func (r *Rescue) Status() Status {
	c := r.kernel.counts()
	s := Status{
		Device: r.kernel.device(), Interfaces: int(r.interfaces.Load()),
		Looked: c[countLooked], Missed: c[countMissed], Cookies: c[countCookie], Verdicts: map[Verdict]uint64{},
		Injected: r.injected.Load(), Marked: r.marked.Load(), Unmarked: r.unmarked.Load(), Answers: r.answers.Load(),
	}
	for v := range verdicts {
		s.Verdicts[v] = r.verdicts[v].Load()
	}
	return s
}
