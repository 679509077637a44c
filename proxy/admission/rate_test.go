package admission

import (
	"net/netip"
	"testing"
	"time"
)

// TestFloodIsBounded asks from more addresses than are remembered.
func TestFloodIsBounded(t *testing.T) {
	c := newClients()
	now := time.Now()
	var a [16]byte
	for i := range 2 * shardCount * shardSize / 8 {
		a[0], a[1], a[2], a[3] = 0x20, byte(i), byte(i>>8), byte(i>>16)
		c.take(netip.AddrFrom16(a), 1, 1, now)
	}
	// All in one shard, beyond its size.
	s := &c.shards[0]
	for i := range shardSize + 100 {
		if len(s.due) >= shardSize {
			s.forget(now)
		}
		a[4], a[5] = byte(i), byte(i>>8)
		s.due[netip.AddrFrom16(a)] = now.Add(time.Hour)
	}
	if len(s.due) > shardSize {
		t.Errorf("%d clients in a shard", len(s.due))
	}
}

func TestForgetPrefersTheExpired(t *testing.T) {
	now := time.Now()
	s := &shard{due: map[netip.Addr]time.Time{}}
	for i := range shardSize {
		due := now.Add(time.Hour)
		if i%2 == 0 {
			due = now.Add(-time.Second)
		}
		s.due[netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})] = due
	}
	s.forget(now)
	live := 0
	for _, due := range s.due {
		if due.After(now) {
			live++
		}
	}
	if live < shardSize/2-1 || len(s.due) >= shardSize {
		t.Errorf("%d of %d live clients left, %d in all", live, shardSize/2, len(s.due))
	}
}

func BenchmarkTake(b *testing.B) {
	c := newClients()
	addr, now := netip.MustParseAddr("192.0.2.1"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c.take(addr, 1000, 100, now)
	}
}
