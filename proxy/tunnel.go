package proxy

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// errTunnelIdle ends a tunnel in which nothing moved.
var errTunnelIdle = errors.New("tunnel idle")

// tunnel carries octets both ways between two ends. Each direction ends on its own: what one end has said last is
// written to the other before that is told of the end.
//
//	client ── pump ──► origin     on the handler's goroutine
//	client ◄── pump ── origin     on another, which run waits for
type tunnel struct {
	client, origin tunnelEnd
	idle           time.Duration
	watch          *time.Timer // moves with every octet

	once sync.Once // guards err
	err  error     // why the tunnel was cut; nil where both ends finished
}

// tunnelEnd is one side of a tunnel.
type tunnelEnd interface {
	io.ReadWriter
	// CloseWrite tells the peer that nothing more will be written.
	CloseWrite() error
	// Abort makes Read and Write return, now and from now on.
	Abort()
}

func newTunnel(client, origin tunnelEnd, idle time.Duration) *tunnel {
	return &tunnel{client: client, origin: origin, idle: idle}
}

// run carries octets until both directions have ended, one has failed, nothing has moved for too long or ctx ends. It
// returns nil in the first case.
func (t *tunnel) run(ctx context.Context) error {
	t.watch = time.AfterFunc(t.idle, func() { t.cut(errTunnelIdle) })
	defer t.watch.Stop()
	stop := context.AfterFunc(ctx, func() { t.cut(context.Cause(ctx)) })
	defer stop()
	var other sync.WaitGroup
	other.Go(func() { t.pump(t.client, t.origin) }) // ends with origin, which cut aborts
	t.pump(t.origin, t.client)
	other.Wait()
	t.once.Do(func() {})
	return t.err
}

func (t *tunnel) cut(err error) {
	t.once.Do(func() {
		t.err = err
		t.client.Abort()
		t.origin.Abort()
	})
}

// pump carries octets from src to dst until src ends.
func (t *tunnel) pump(dst, src tunnelEnd) {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			t.watch.Reset(t.idle)
			if _, err := dst.Write(buf[:n]); err != nil {
				t.cut(err)
				return
			}
		}
		if errors.Is(err, io.EOF) {
			err = dst.CloseWrite()
			if err == nil {
				return
			}
		}
		if err != nil {
			t.cut(err)
			return
		}
	}
}
