package rescue

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Places on the program's stack.
const (
	atNumber = -4            // a counter's key
	atTCP    = -32           // the TCP header, 20 octets
	atIP     = atTCP - 40    // the IP header, 20 or 40 octets
	atVIP    = atIP - vipLen // the key of the map of VIPs
	atTuple  = atVIP - 40    // what a socket is looked up by, 12 or 36 octets
)

// Offsets in headers, in octets: RFC 791, RFC 8200, RFC 9293.
const (
	ip4Len, ip4Fragment, ip4Protocol, ip4Source, ip4Destination = 20, 6, 9, 12, 16
	ip6Len, ip6Next, ip6Source, ip6Destination                  = 40, 6, 8, 24
	tcpLen, tcpDestination, tcpFlags                            = 20, 2, 13
)

// Of the kernel's interface, include/uapi/linux/bpf.h.
const (
	skbProtocol  = 16 // of struct __sk_buff
	sockState    = 72 // of struct bpf_sock
	fromNetwork  = 1  // BPF_HDR_START_NET
	thisNetwork  = -1 // BPF_F_CURRENT_NETNS
	pass         = -1 // TCX_NEXT
	stateListens = 10 // TCP_LISTEN
)

// program is what every packet that comes to an interface passes. Segments to VIPs that begin no connection, and belong to
// none of this host, are sent to the device with the index tun; all else goes its way untouched.
func program(vips, counts *ebpf.Map, tun int) asm.Instructions {
	p := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R1, asm.R6, skbProtocol, asm.Word),
		asm.JEq.Imm(asm.R1, networkOrder(0x0800), "ip4"),
		asm.JEq.Imm(asm.R1, networkOrder(0x86dd), "ip6"),
		asm.Ja.Label("pass"),
	}
	p = append(p, fromIP4()...)
	p = append(p, fromIP6()...)
	p = append(p, find(vips, counts)...)
	p = append(p,
		asm.Mov.Imm(asm.R1, int32(tun)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, pass).WithSymbol("pass"),
		asm.Return(),
	)
	return p
}

// fromIP4 reads the headers of an IPv4 packet. Fragments pass: the kernel puts them together, and only the first has ports.
func fromIP4() asm.Instructions {
	p := load(asm.Instructions{asm.Mov.Imm(asm.R2, 0)}, atIP, ip4Len)
	p[0] = p[0].WithSymbol("ip4")
	p = append(p,
		asm.LoadMem(asm.R1, asm.RFP, atIP+ip4Protocol, asm.Byte),
		asm.JNE.Imm(asm.R1, 6, "pass"),
		asm.LoadMem(asm.R1, asm.RFP, atIP+ip4Fragment, asm.Half),
		asm.And.Imm(asm.R1, networkOrder(0x3fff)),
		asm.JNE.Imm(asm.R1, 0, "pass"),
		asm.LoadMem(asm.R7, asm.RFP, atIP, asm.Byte),
		asm.And.Imm(asm.R7, 0x0f),
		asm.LSh.Imm(asm.R7, 2),
	)
	p = load(append(p, asm.Mov.Reg(asm.R2, asm.R7)), atTCP, tcpLen)
	p = append(p, clear(atVIP, vipLen)...)
	p = append(p, copyWords(atVIP, atIP+ip4Destination, 4)...)
	p = append(p, copyWords(atTuple, atIP+ip4Source, 8)...)
	p = append(p, copyWords(atTuple+8, atTCP, 4)...)
	return append(p,
		asm.StoreImm(asm.RFP, atVIP+vipFamily, 4, asm.Byte),
		asm.Mov.Imm(asm.R8, 12),
		asm.Mov.Imm(asm.R9, ip4Len),
		asm.Ja.Label("find"),
	)
}

// fromIP6 reads the headers of an IPv6 packet. Those with extension headers pass.
func fromIP6() asm.Instructions {
	p := load(asm.Instructions{asm.Mov.Imm(asm.R2, 0)}, atIP, ip6Len)
	p[0] = p[0].WithSymbol("ip6")
	p = append(p,
		asm.LoadMem(asm.R1, asm.RFP, atIP+ip6Next, asm.Byte),
		asm.JNE.Imm(asm.R1, 6, "pass"),
	)
	p = load(append(p, asm.Mov.Imm(asm.R2, ip6Len)), atTCP, tcpLen)
	p = append(p, clear(atVIP, vipLen)...)
	p = append(p, copyWords(atVIP, atIP+ip6Destination, 16)...)
	p = append(p, copyWords(atTuple, atIP+ip6Source, 32)...)
	p = append(p, copyWords(atTuple+32, atTCP, 4)...)
	return append(p,
		asm.StoreImm(asm.RFP, atVIP+vipFamily, 6, asm.Byte),
		asm.Mov.Imm(asm.R8, 36),
		asm.Mov.Imm(asm.R9, ip6Len),
	)
}

// find looks for the VIP and then for a socket. It is left at its end by segments without one.
func find(vips, counts *ebpf.Map) asm.Instructions {
	p := asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, atTCP+tcpFlags, asm.Byte).WithSymbol("find"),
		asm.And.Imm(asm.R1, flagSYN),
		asm.JNE.Imm(asm.R1, 0, "pass"),
		asm.LoadMem(asm.R1, asm.RFP, atTCP+tcpDestination, asm.Half),
		asm.StoreMem(asm.RFP, atVIP+vipPort, asm.R1, asm.Half),
		asm.LoadMapPtr(asm.R1, vips.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atVIP),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
	}
	p = append(p, count(counts, countLooked)...)
	p = append(p,
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atTuple),
		asm.Mov.Reg(asm.R3, asm.R8),
		asm.Mov.Imm(asm.R4, thisNetwork),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkcLookupTcp.Call(),
		asm.JEq.Imm(asm.R0, 0, "miss"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.LoadMem(asm.R1, asm.R7, sockState, asm.Word),
		asm.JEq.Imm(asm.R1, stateListens, "listener"),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(),
		asm.Ja.Label("pass"),

		// What begins a connection by a SYN cookie has no socket yet.
		asm.Mov.Reg(asm.R1, asm.R7).WithSymbol("listener"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atIP),
		asm.Mov.Reg(asm.R3, asm.R9),
		asm.Mov.Reg(asm.R4, asm.RFP),
		asm.Add.Imm(asm.R4, atTCP),
		asm.Mov.Imm(asm.R5, tcpLen),
		asm.FnTcpCheckSyncookie.Call(),
		asm.Mov.Reg(asm.R8, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(),
		asm.JNE.Imm(asm.R8, 0, "miss"),
	)
	p = append(p, count(counts, countCookie)...)
	p = append(p, asm.Ja.Label("pass"))
	missed := count(counts, countMissed)
	missed[0] = missed[0].WithSymbol("miss")
	return append(p, missed...)
}

// load appends what copies n octets of the packet to the stack, from R2 on after the start of the IP header. A packet that is
// too short passes.
func load(p asm.Instructions, at int32, n int32) asm.Instructions {
	return append(p,
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, at),
		asm.Mov.Imm(asm.R4, n),
		asm.Mov.Imm(asm.R5, fromNetwork),
		asm.FnSkbLoadBytesRelative.Call(),
		asm.JNE.Imm(asm.R0, 0, "pass"),
	)
}

// copyWords copies n octets on the stack, four at a time.
func copyWords(to, from int16, n int16) (p asm.Instructions) {
	for i := int16(0); i < n; i += 4 {
		p = append(p, asm.LoadMem(asm.R1, asm.RFP, from+i, asm.Word), asm.StoreMem(asm.RFP, to+i, asm.R1, asm.Word))
	}
	return p
}

// clear sets n octets on the stack to zero, four at a time.
func clear(at, n int16) (p asm.Instructions) {
	for i := int16(0); i < n; i += 4 {
		p = append(p, asm.StoreImm(asm.RFP, at+i, 0, asm.Word))
	}
	return p
}

// count adds one to a counter. It keeps R6 to R9.
func count(counts *ebpf.Map, what int) asm.Instructions {
	counted := fmt.Sprintf("counted%d", what)
	return asm.Instructions{
		asm.StoreImm(asm.RFP, atNumber, int64(what), asm.Word),
		asm.LoadMapPtr(asm.R1, counts.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atNumber),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, counted),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol(counted),
	}
}

// networkOrder is what a 16-bit field of a packet reads as on this machine where it holds n.
func networkOrder(n uint16) int32 {
	b := binary.BigEndian.AppendUint16(nil, n)
	return int32(binary.NativeEndian.Uint16(b))
}
