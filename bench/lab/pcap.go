package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// packet is one captured TCP segment.
type packet struct {
	at       time.Time
	from, to netip.AddrPort
	seq      uint32 // of the first octet of data
	syn      bool
	data     []byte
}

// Sizes and limits of a pcap file (draft-ietf-opsawg-pcap) and of the headers in it.
const (
	pcapHeader    = 24
	pcapRecord    = 16
	pcapMicro     = 0xa1b2c3d4
	maxPacket     = 256 << 10 // tcpdump's own
	linkEthernet  = 1
	ethernetBytes = 14
	ipv6Bytes     = 40
	tcpBytes      = 20
	protocolTCP   = 6
)

// readPackets reads the TCP segments of a capture file on Ethernet that tcpdump wrote on this machine.
// A file that ends in the middle of a packet, because tcpdump still writes, ends with the one before.
func readPackets(r io.Reader) ([]packet, error) {
	var header [pcapHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, fmt.Errorf("read the file's header: %w", err)
	}
	if binary.NativeEndian.Uint32(header[:]) != pcapMicro || binary.NativeEndian.Uint32(header[20:]) != linkEthernet {
		return nil, errors.New("not a capture of Ethernet by this machine's tcpdump")
	}
	var packets []packet
	for {
		at, frame, err := readFrame(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return packets, nil
		}
		if err != nil {
			return nil, err
		}
		if p, ok := parseFrame(frame); ok {
			p.at = at
			packets = append(packets, p)
		}
	}
}

func readFrame(r io.Reader) (time.Time, []byte, error) {
	var record [pcapRecord]byte
	if _, err := io.ReadFull(r, record[:]); err != nil {
		return time.Time{}, nil, err
	}
	word := func(i int) uint32 { return binary.NativeEndian.Uint32(record[4*i:]) }
	if word(2) > maxPacket {
		return time.Time{}, nil, fmt.Errorf("a packet of %d octets: the file is damaged", word(2))
	}
	frame := make([]byte, word(2))
	_, err := io.ReadFull(r, frame)
	return time.Unix(int64(word(0)), int64(word(1))*1000), frame, err
}

// parseFrame reads Ethernet, IPv4 or IPv6 without extension headers, and TCP; false for anything else.
func parseFrame(b []byte) (packet, bool) {
	if len(b) < ethernetBytes {
		return packet{}, false
	}
	switch kind := binary.BigEndian.Uint16(b[12:]); kind {
	case 0x0800:
		return parseIPv4(b[ethernetBytes:])
	case 0x86dd:
		return parseIPv6(b[ethernetBytes:])
	}
	return packet{}, false
}

func parseIPv4(b []byte) (packet, bool) {
	if len(b) < 20 || b[9] != protocolTCP {
		return packet{}, false
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || total < header || total > len(b) {
		return packet{}, false
	}
	from, _ := netip.AddrFromSlice(b[12:16])
	to, _ := netip.AddrFromSlice(b[16:20])
	return parseTCP(from, to, b[header:total])
}

func parseIPv6(b []byte) (packet, bool) {
	if len(b) < ipv6Bytes || b[6] != protocolTCP {
		return packet{}, false
	}
	total := ipv6Bytes + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return packet{}, false
	}
	from, _ := netip.AddrFromSlice(b[8:24])
	to, _ := netip.AddrFromSlice(b[24:40])
	return parseTCP(from, to, b[ipv6Bytes:total])
}

func parseTCP(from, to netip.Addr, b []byte) (packet, bool) {
	if len(b) < tcpBytes {
		return packet{}, false
	}
	header := int(b[12]>>4) * 4
	if header < tcpBytes || header > len(b) {
		return packet{}, false
	}
	p := packet{
		from: netip.AddrPortFrom(from, binary.BigEndian.Uint16(b)),
		to:   netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:])),
		seq:  binary.BigEndian.Uint32(b[4:]),
		syn:  b[13]&2 != 0,
		data: b[header:],
	}
	if p.syn {
		p.seq++
	}
	return p, true
}
