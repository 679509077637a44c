package listener

import (
	"context"
	"net"
	"testing"
	"time"
)

// BenchmarkAccept is what the accept loop of an address takes for a connection that waits for it: a second loop is of use
// only where all processors together shake hands faster than that.
func BenchmarkAccept(b *testing.B) {
	const waiting = 100 // below every backlog
	var config Config
	config.Limits.SetDefaults()
	config.setDefaults()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	m := config.Metrics.of("www")
	a := &acceptor{TCPListener: ln, set: newConnSet(&config, m, newLosses("www", m, nil)), metrics: m, log: config.Log, ctx: context.Background()}
	var took time.Duration
	for b.Loop() {
		var clients, accepted []net.Conn
		for range waiting {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			clients = append(clients, c)
		}
		begin := time.Now()
		for range waiting {
			c, err := a.accept()
			if err != nil {
				b.Fatal(err)
			}
			accepted = append(accepted, c)
		}
		took += time.Since(begin)
		for i := range waiting {
			_ = accepted[i].Close()
			_ = clients[i].Close()
		}
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*waiting), "ns/connection")
}
