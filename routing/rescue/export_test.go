package rescue

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/anyedge/anyedge/routing/steer"
)

// What follows shows the inside to the tests.

const Codes = codes

// CodeOf is a node's code.
func CodeOf(n steer.NodeID) uint16 { return uint16(codeOf(n)) }

// Stamp is the timestamp of a node's connection, which was another before, and CodeIn whose code an echo has.
func Stamp(c uint16, now, was uint32) uint32 { return code(c).stamp(now, was) }
func CodeIn(echo, now uint32) uint16         { return uint16(codeIn(echo, now)) }

// Clock is the time of day in timestamps.
func Clock(t time.Time) uint32 { return clock(t) }

// Parsed is what is seen of a segment.
type Parsed struct {
	Client, VIP netip.AddrPort
	Flags       uint8
	Echo        uint32
	Echoes      bool
}

// Parse parses an IP packet.
func Parse(b []byte) (Parsed, bool) {
	s, ok := parse(b)
	return Parsed{s.client, s.vip, s.flags, s.echo, s.echoes}, ok
}

// Word is a question (Mine false) or an answer.
type Word struct {
	Mine        bool
	Client, VIP netip.AddrPort
}

// Append appends the word's octets.
func (w Word) Append(b []byte) []byte {
	kind := whose
	if w.Mine {
		kind = mine
	}
	return word{kind, flow{w.Client, w.VIP}}.append(b)
}

// ParseWord parses a word.
func ParseWord(b []byte) (Word, bool) {
	w, ok := parseWord(b)
	return Word{w.kind == mine, w.flow.client, w.flow.vip}, ok
}

// Fleet is who there is.
type Fleet = fleet

// Tunnel is what segments and questions go by.
type Tunnel = tunnel

// Host is the kernel's part in memory.
type Host struct {
	Written [][]byte
	Has     map[[2]netip.AddrPort]bool
	Served  map[netip.AddrPort]bool
	Closed  chan struct{}
	Missed  [][]byte // segments that its reader hands over at once

	Attached bool
}

// NewHost returns a host without connections.
func NewHost() *Host {
	return &Host{Has: map[[2]netip.AddrPort]bool{}, Served: map[netip.AddrPort]bool{}, Closed: make(chan struct{})}
}

func (h *Host) read(take func([]byte), _ func()) error {
	for _, b := range h.Missed {
		take(b)
	}
	<-h.Closed
	return nil
}

func (h *Host) write(b []byte) error {
	h.Written = append(h.Written, append([]byte(nil), b...))
	return nil
}

func (h *Host) serve(vip netip.AddrPort, on bool) error {
	h.Served[vip] = on
	return nil
}

func (h *Host) attach() (int, error)         { h.Attached = true; return 1, nil }
func (h *Host) detach()                      { h.Attached = false }
func (h *Host) has(f flow) (bool, error)     { return h.Has[[2]netip.AddrPort{f.client, f.vip}], nil }
func (h *Host) counts() [kernelCounts]uint64 { return [kernelCounts]uint64{} }
func (h *Host) device() string               { return "test0" }
func (h *Host) Close()                       { close(h.Closed) }

// New returns a Rescue without a kernel's part.
func New(h *Host, f Fleet, t Tunnel, log *slog.Logger) *Rescue {
	r := newRescue(h, f, log)
	r.judge.tunnel = t
	return r
}

// Watch has r look who is in the fleet.
func (r *Rescue) Watch() { r.watch() }

// Take decides on a segment at a time, and returns the verdict.
func (r *Rescue) Take(packet []byte, now time.Time) Verdict {
	return r.judge.take(r.nodes.Load(), packet, now)
}

// Missed is what the device's reader does with a packet.
func (r *Rescue) Missed(packet []byte) { r.take(packet) }

// Flows is how many connections are remembered.
func (r *Rescue) Flows() int { return len(r.flows.known) }

// MaxFlows is how many are at most.
const MaxFlows = maxFlows
