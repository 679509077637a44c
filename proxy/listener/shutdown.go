package listener

import (
	"context"
	"fmt"
	"sync"
)

// Shutdown ends the listener gracefully: nothing more is accepted; H1 connections close after the answer under way, H2
// and H3 clients get GOAWAY (RFC 9113, section 6.8; RFC 9114, section 5.2), and connections that a handler took over
// may go on. When all have ended, or when ctx does, every connection and socket is closed. The error is not nil where ctx
// cut something off. Later calls wait for the first one's end.
func (l *Listener) Shutdown(ctx context.Context) error {
	var err error
	l.closing.Do(func() {
		l.http.SetKeepAlivesEnabled(false) // before the sockets close: from here on answers say Connection: close
		l.conns.leave()                    // the same of connections that net/http doesn't know; drain asks those that come meanwhile
		l.stopAccept()
		l.drain(ctx)
		cut := l.close()
		if cut > 0 && ctx.Err() != nil { // without ctx's end these came while the last accept ended: nothing was under way
			err = fmt.Errorf("shut down the listener of VIP %s: %d connections were cut off: %w", l.config.VIP, cut, ctx.Err())
		}
	})
	<-l.closed
	return err
}

// drain waits until every connection has ended, or ctx.
func (l *Listener) drain(ctx context.Context) {
	drained := make(chan struct{})
	l.loops.Go(func() { // ends when every connection has, which close sees to
		defer close(drained)
		l.leave(ctx)
	})
	select {
	case <-drained:
	case <-ctx.Done():
	}
}

// leave asks every client to leave and waits until all have.
func (l *Listener) leave(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range l.quic {
		all.Go(s.leave)
	}
	all.Go(func() {
		l.conns.leave()
		_ = l.http.Shutdown(ctx) // its error is ctx's, which the caller sees
		<-l.conns.none()
	})
	all.Wait()
}

// close closes the sockets, cuts off what is left and returns how many connections that were.
func (l *Listener) close() int {
	defer close(l.closed)
	cut := l.conns.abort()
	l.cutOff() // nobody may be reading who would see that the client is gone
	for _, s := range l.quic {
		cut += s.abort()
		_ = s.close() // a socket that can't be closed is no use to anyone
	}
	_ = l.http.Close() // its error is that of closing what is closed
	l.sockets.close()
	l.endRescue()
	l.losses.flush()
	return cut
}
