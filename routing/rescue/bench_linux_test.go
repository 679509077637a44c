package rescue_test

import (
	"net"
	"testing"

	"github.com/anyedge/anyedge/routing/rescue"
)

// BenchmarkMark is what it costs to mark a connection.
func BenchmarkMark(b *testing.B) {
	if err := rescue.Missing(); err != nil {
		b.Skip(err)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	c, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := rescue.New(rescue.NewHost(), known(self, near), sink{}, nil)
	r.Watch()
	for b.Loop() {
		r.Mark(c.(*net.TCPConn))
	}
	if s := r.Status(); s.Unmarked > 0 {
		b.Errorf("%d times it failed", s.Unmarked)
	}
}
