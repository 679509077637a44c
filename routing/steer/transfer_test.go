//go:build linux

package steer_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/routing/steer"
)

// The benchmarks of transfers have servers in processes of their own, so that their processor time is theirs alone.
const (
	roleVariable = "ANYEDGE_STEER_TEST_ROLE" // bare, steered, or steered and the number of workers
	hostVariable = "ANYEDGE_STEER_TEST_HOST"
)

// TestServerProcess is no test: it is what a server process runs.
func TestServerProcess(t *testing.T) {
	role := os.Getenv(roleVariable)
	if role == "" {
		t.Skip("it is for the benchmarks")
	}
	workers := 1
	_, _ = fmt.Sscanf(role, "steered %d", &workers)
	sockets := shared(t, workers)
	transports := []*quic.Transport{{Conn: sockets[0]}}
	in := bufio.NewScanner(os.Stdin)
	if role != "bare" {
		transports = steered(t, sockets, in)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"echo"}}
	for _, tr := range transports {
		ln, err := tr.Listen(config, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the process
			for {
				c, err := ln.Accept(context.Background())
				if err != nil {
					return
				}
				go transfer(c)
			}
		}()
	}
	fmt.Println("at", sockets[0].LocalAddr())
	for in.Scan() { // until the benchmark closes it
	}
}

// shared are sockets that share a port.
func shared(t *testing.T, count int) (all []*net.UDPConn) {
	lc, at := net.ListenConfig{Control: sharePort}, "127.0.0.1:0"
	for range count {
		c, err := lc.ListenPacket(t.Context(), "udp4", at)
		if err != nil {
			t.Fatal(err)
		}
		socket := c.(*net.UDPConn)
		_ = socket.SetReadBuffer(7 << 20)
		all, at = append(all, socket), socket.LocalAddr().String()
	}
	return all
}

// steered are transports beside another node, whose tunnel the benchmark tells.
func steered(t *testing.T, sockets []*net.UDPConn, in *bufio.Scanner) (all []*quic.Transport) {
	host, _ := strconv.Atoi(os.Getenv(hostVariable))
	o := steer.Options{Metro: 1, Host: uint16(host), Address: netip.MustParseAddr("127.0.0.1"), MaxDatagram: steer.MaxDatagram, Rate: steer.MaxRate}
	s, err := steer.Open(o, 1, keys(t, root, 1), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Run(context.Background()) }() // ends with the process
	for worker, socket := range sockets {
		conn, err := s.Wrap(socket, vip, uint8(worker))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &quic.Transport{Conn: conn, ConnectionIDGenerator: s.ConnectionIDs(uint8(worker)), StatelessResetKey: s.ResetKey(vip)})
	}
	fmt.Println("tunnel", s.Addr())
	if in.Scan() && in.Text() != "" {
		peer := steer.Peer{Name: "other", ID: steer.NodeID{Metro: 1, Host: uint16(3 - host)}, Tunnel: netip.MustParseAddrPort(in.Text())}
		if err := s.Update([]steer.Peer{peer}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// transfer answers streams: the first line says how many octets are wanted; what follows is thrown away.
func transfer(c *quic.Conn) {
	for {
		s, err := c.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go func() { // ends with the stream
			r := bufio.NewReader(s)
			line, _ := r.ReadString('\n')
			octets, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
			_, _ = io.Copy(io.Discard, r)
			_, _ = io.Copy(s, io.LimitReader(zeros{}, octets))
			_ = s.Close()
		}()
	}
}

// process is a server process.
type process struct {
	*exec.Cmd

	stdin  io.WriteCloser
	stdout *bufio.Scanner
}

func startProcess(b *testing.B, role string, host int) *process {
	b.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], "-test.run=^TestServerProcess$")}
	p.Env = append(os.Environ(), roleVariable+"="+role, hostVariable+"="+strconv.Itoa(host))
	p.Stderr = os.Stderr
	p.stdin, _ = p.StdinPipe()
	out, _ := p.StdoutPipe()
	p.stdout = bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		b.Fatal(err)
	}
	return p
}

// read is what the process says under a word.
func (p *process) read(b *testing.B, word string) string {
	b.Helper()
	for p.stdout.Scan() {
		if rest, ok := strings.CutPrefix(p.stdout.Text(), word+" "); ok {
			return rest
		}
	}
	b.Fatalf("no %s", word)
	return ""
}

// end stops the process and returns the processor time that it took.
func (p *process) end() time.Duration {
	_ = p.stdin.Close()
	for p.stdout.Scan() { // Wait must not close what is still read
	}
	_ = p.Wait()
	return p.ProcessState.UserTime() + p.ProcessState.SystemTime()
}

// exchange sends and fetches so many octets over one connection to a server; by way of another where through isn't empty.
func exchange(b *testing.B, server, through string, up, down int64) {
	b.Helper()
	r := newRoute(b)
	tr := &quic.Transport{Conn: r}
	defer tr.Close()
	c, err := tr.Dial(b.Context(), address(b, server), clientTLS(), nil)
	if err != nil {
		b.Fatal(err)
	}
	if through != "" {
		r.to.Store(address(b, through))
	}
	s, err := c.OpenStreamSync(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	go func() { // ends with the stream
		fmt.Fprintln(s, down)
		_, _ = io.Copy(s, io.LimitReader(zeros{}, up))
		_ = s.Close()
	}()
	if n, err := io.Copy(io.Discard, s); n != down || err != nil {
		b.Fatalf("%d octets: %v", n, err)
	}
	_ = c.CloseWithError(0, "")
}

func address(b *testing.B, s string) *net.UDPAddr {
	b.Helper()
	a, err := net.ResolveUDPAddr("udp4", s)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// BenchmarkTransfer is the processor time of a server for what it sends and receives, with quic-go on the bare socket and
// with steering, in turns.
func BenchmarkTransfer(b *testing.B) {
	const octets = 256 << 20
	for _, c := range []struct {
		name     string
		up, down int64
	}{{"down", 0, octets}, {"up", octets, 0}} {
		b.Run(c.name, func(b *testing.B) {
			took := map[string]time.Duration{}
			for b.Loop() {
				for _, role := range []string{"bare", "steered"} {
					p := startProcess(b, role, 1)
					if role == "steered" {
						p.read(b, "tunnel")
						fmt.Fprintln(p.stdin)
					}
					exchange(b, p.read(b, "at"), "", c.up, c.down)
					took[role] += p.end()
				}
			}
			for role, d := range took {
				b.ReportMetric(d.Seconds()/float64(b.N)/octets*1e9, role+"-cpu-s/GB")
			}
			b.ReportMetric(100*(took["steered"].Seconds()/took["bare"].Seconds()-1), "%more")
		})
	}
}

// BenchmarkForward is the processor time of a node for each datagram that it forwards, and of the owner for what it gets so.
func BenchmarkForward(b *testing.B) {
	const octets = 256 << 20
	var forwarder, owner time.Duration
	for b.Loop() {
		f, o := startProcess(b, "steered", 1), startProcess(b, "steered", 2)
		ft, ot := f.read(b, "tunnel"), o.read(b, "tunnel")
		fmt.Fprintln(f.stdin, ot)
		fmt.Fprintln(o.stdin, ft)
		fa, oa := f.read(b, "at"), o.read(b, "at")
		time.Sleep(2 * time.Second) // they meet, and learn of the path's MTU
		exchange(b, oa, fa, octets, 0)
		forwarder += f.end()
		owner += o.end()
	}
	packets := float64(octets) / 1370 * float64(b.N)
	b.ReportMetric(forwarder.Seconds()/packets*1e6, "forwarder-µs/packet")
	b.ReportMetric(owner.Seconds()/packets*1e6, "owner-µs/packet")
}
