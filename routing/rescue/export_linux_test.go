package rescue

import (
	"net/netip"
	"time"
)

// Has asks the kernel for a connection.
func Has(client, vip netip.AddrPort) (bool, error) {
	return (&tunDevice{}).has(flow{client: client, vip: vip})
}

// ParseDiag reads the kernel's answer.
func ParseDiag(b []byte) (bool, error) { return parseDiag(b) }

// Program is the program, loaded, and its maps.
type Program struct{ *tunDevice }

// LoadProgram loads the program; it is attached to nothing.
func LoadProgram(vip netip.AddrPort) (*Program, error) {
	d := &tunDevice{}
	if err := d.load(); err != nil {
		return nil, err
	}
	return &Program{d}, d.serve(vip, true)
}

// Run has the kernel run the program on a frame, n times, and returns what it says of it and the time that each took.
func (p *Program) Run(frame []byte, n int) (verdict uint32, each time.Duration, err error) {
	return p.program.Benchmark(frame, n, nil)
}

// Counts are the kernel's counters: looked at, missed, SYN cookies.
func (p *Program) Counts() [3]uint64 { return p.counts() }
