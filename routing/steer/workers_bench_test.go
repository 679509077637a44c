//go:build linux

package steer_test

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/routing/steer"
)

// BenchmarkReaders is what an address's readers take together for a datagram: they empty sockets that are full, each on a
// processor of its own if others leave it one. Their own processor time says whether one holds up the other. The kernel has
// put datagrams of one sender together, as it does on loopback and on good interfaces, or it hasn't.
func BenchmarkReaders(b *testing.B) {
	const datagramsEach, size = 2400, 1200
	k := keys(b, root, 1)
	for _, c := range []struct{ segments, count int }{{40, 1}, {40, 2}, {1, 1}, {1, 2}} {
		count := c.count
		b.Run(fmt.Sprintf("together=%d/workers=%d", c.segments, count), func(b *testing.B) {
			first := startNode(b, 1, k)
			all := []*node{first}
			for w := 1; w < count; w++ {
				socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				if err != nil {
					b.Fatal(err)
				}
				n := *first
				if n.conn, err = n.Wrap(socket, vip, uint8(w)); err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = n.conn.Close() })
				all = append(all, &n)
			}
			from, datagrams := client(b), make([][]byte, count)
			for w, n := range all {
				roomy(b, n.conn.UDPConn)
				made := reader(b, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: 1}, Generation: 1, Worker: uint8(w)}).Make()
				datagrams[w] = bytes.Repeat(short(made, size), c.segments)
			}
			var took, cpu time.Duration
			for b.Loop() {
				for w, n := range all {
					for range datagramsEach / c.segments {
						send(b, from, n, datagrams[w], size)
					}
				}
				t, c := empty(b, all, datagramsEach)
				took, cpu = took+t, cpu+c
			}
			total := float64(b.N * count * datagramsEach)
			b.ReportMetric(float64(took.Nanoseconds())/total, "ns/datagram")
			b.ReportMetric(float64(cpu.Nanoseconds())/total, "cpu-ns/datagram")
		})
	}
}

// empty reads so many datagrams from each socket, all at once, and returns how long that took, and how much processor time.
func empty(b *testing.B, all []*node, each int) (took, cpu time.Duration) {
	var reading sync.WaitGroup
	start, used := make(chan struct{}), make(chan time.Duration, len(all))
	for _, n := range all {
		reading.Go(func() {
			ms := messages()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			<-start
			begin := threadTime()
			for got := 0; got < each; {
				count, err := n.conn.ReadBatch(ms, 0)
				if err != nil {
					b.Error(err)
					break
				}
				got += count
			}
			used <- threadTime() - begin
		})
	}
	begin := time.Now()
	close(start)
	reading.Wait()
	took = time.Since(begin)
	for range all {
		cpu += <-used
	}
	return took, cpu
}

// threadTime is how much processor time this thread has used.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // never fails
	return time.Duration(t.Nano())
}

// roomy gives a socket room for what comes while nobody reads.
func roomy(b *testing.B, conn *net.UDPConn) {
	b.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	var optionErr error
	if err := raw.Control(func(fd uintptr) {
		optionErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	}); err != nil {
		b.Fatal(err)
	}
	if optionErr != nil {
		b.Skip("it needs CAP_NET_ADMIN, for a large buffer: ", optionErr)
	}
}

// BenchmarkWorkers is what a server process takes to receive over eight connections at once, with one worker and with two.
func BenchmarkWorkers(b *testing.B) {
	const octets, conns = 32 << 20, 8
	for _, count := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", count), func(b *testing.B) {
			var cpu, took time.Duration
			for b.Loop() {
				p := startProcess(b, fmt.Sprintf("steered %d", count), 1)
				p.read(b, "tunnel")
				fmt.Fprintln(p.stdin)
				at := p.read(b, "at")
				begin := time.Now()
				var all sync.WaitGroup
				for range conns {
					all.Go(func() { exchange(b, at, "", octets, 0) })
				}
				all.Wait()
				took += time.Since(begin)
				cpu += p.end()
			}
			total := float64(b.N * octets * conns)
			b.ReportMetric(cpu.Seconds()/total*1e9, "cpu-s/GB")
			b.ReportMetric(total/took.Seconds()/1e6, "MB/s")
		})
	}
}
