package steer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"time"
)

// Of stateless resets, RFC 9000 section 10.3.
const (
	resetTokenLen = 16
	minReset      = 5 + resetTokenLen
	maxReset      = 1 + 20 + 4 + 1 + resetTokenLen // looks like a packet with the longest connection ID
	// resetRate is how many a second are sent. One is useful to each client of a dead node; a flood of them isn't.
	resetRate = 10_000
)

// resetKey is what tokens of a VIP's address are made with, the same at every node. Addresses don't share one: who has a
// connection to one can't ask another for its token.
func resetKey(k Keys, vip netip.AddrPort) []byte {
	return derive(k.Reset, "stateless reset of "+unmap(vip).String(), ResetKeyLen)
}

// appendReset appends the answer to a packet with a short header whose connection is lost: a stateless reset, which is
// shorter than the packet, so that two who have lost their connections don't answer each other for ever. (quic-go answers
// only packets above 42 octets; a client that has nothing but pings to send would never learn.)
func appendReset(b, key, packet []byte) []byte {
	n := max(min(len(packet)-1, maxReset), minReset)
	b = b[:n-resetTokenLen]
	_, _ = rand.Read(b) // never fails
	b[0] = b[0]&^(longHeader|fixedBit) | fixedBit
	mac := hmac.New(sha256.New, key)
	mac.Write(packet[1 : 1+CIDLen])
	return append(b, mac.Sum(nil)[:resetTokenLen]...)
}

// reset answers a client's packet with a stateless reset, unless there are too many.
func (c *Conn) reset(client netip.AddrPort, packet []byte) bool {
	if !c.steerer.resets.allow(time.Now()) {
		return false
	}
	b := appendReset(make([]byte, 0, maxReset), c.resetKey, packet)
	_, _, _ = c.WriteMsgUDPAddrPort(b, nil, client) // a lost one comes again, with the client's next packet
	return true
}
