package listener

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

// Listener serves one VIP. Its methods may be called concurrently.
type Listener struct {
	config    Config
	secure    *Info // of the HTTPS port
	cleartext *Info // of the HTTP port
	sockets   *sockets
	altSvc    *altSvc
	metrics   *vipMetrics
	losses    *losses
	conns     *connSet
	log       *slog.Logger
	earlyData atomic.Bool

	accepting  context.Context // ends with the first Shutdown, or with Serve's
	stopAccept context.CancelFunc
	requests   context.Context // of those over TLS: ends when what is left is cut off
	cutOff     context.CancelFunc
	http       *http.Server
	https      []*tlsListener
	plain      []*acceptor
	quic       []*quicServer
	endRescue  func()

	loops    sync.WaitGroup
	serving  sync.Once
	closing  sync.Once
	closed   chan struct{} // the sockets are
	mu       sync.Mutex    // guards the following field
	failures []error       // of loops that ended by themselves
}

// Open binds every socket of c.Options or none; the error has every problem, each with what to do. Serve must follow, or
// Shutdown, which closes them.
func Open(c Config) (*Listener, error) {
	if c.HTTPS != 0 && c.TLS == nil {
		return nil, fmt.Errorf("listen for VIP %s: an https port needs certificates", c.VIP)
	}
	if c.TokenKey != nil && len(c.TokenKey) != len(quic.TokenGeneratorKey{}) {
		return nil, fmt.Errorf("listen for VIP %s: the key of tokens has %d octets, not %d", c.VIP, len(c.TokenKey), len(quic.TokenGeneratorKey{}))
	}
	c.setDefaults()
	s, err := bind(c.Options, c.quicWorkers(), c.Inherited)
	if err != nil {
		return nil, err
	}
	m := c.Metrics.of(c.VIP)
	l := &Listener{
		config:    c,
		secure:    &Info{VIP: c.VIP, TLS: true, HTTPSPort: c.HTTPS},
		cleartext: &Info{VIP: c.VIP, Plain: c.Plain, HTTPSPort: c.HTTPS},
		sockets:   s,
		altSvc:    newAltSvc(c.HTTPS),
		metrics:   m,
		losses:    newLosses(c.VIP, m, c.Journal),
		log:       c.Log,
		closed:    make(chan struct{}),
	}
	l.conns = newConnSet(&c, m, l.losses)
	l.accepting, l.stopAccept = context.WithCancel(context.Background())
	l.requests, l.cutOff = context.WithCancel(WithInfo(context.Background(), l.secure))
	l.http = l.newHTTPServer()
	if err := errors.Join(l.rescue(), l.build()); err != nil {
		l.endRescue()
		for _, s := range l.quic {
			_ = s.close()
		}
		l.sockets.close()
		return nil, err
	}
	return l, nil
}

// build puts a server on each socket.
func (l *Listener) build() error {
	for _, socket := range l.sockets.https {
		l.https = append(l.https, &tlsListener{
			acceptor: l.newAcceptor(socket), config: l.config.TLS.Clone(),
			limits: &l.config.Limits, ready: make(chan net.Conn), hits: l.newHits(), h2: l.newH2(),
		})
	}
	for _, socket := range l.sockets.http {
		l.plain = append(l.plain, l.newAcceptor(socket))
	}
	for _, workers := range l.sockets.quic {
		enlarge(workers, l.log)
		for number, socket := range workers {
			s, err := newQUICServer(l, socket, uint8(number))
			if err != nil {
				return err
			}
			l.quic = append(l.quic, s)
		}
	}
	return nil
}

func (l *Listener) newAcceptor(socket *net.TCPListener) *acceptor {
	return &acceptor{TCPListener: socket, set: l.conns, metrics: l.metrics, log: l.log, ctx: l.accepting, rescue: l.config.Rescue}
}

// Addrs are the addresses that are bound, as *net.TCPAddr and *net.UDPAddr, each once: https, QUIC, http.
func (l *Listener) Addrs() []net.Addr { return l.sockets.addrs() }

// SetQUICAnswers says whether QUIC on this VIP answers, by a check through it. While it does, responses over H1 and H2
// with TLS carry Alt-Svc; when it did and does no longer, they carry Alt-Svc: clear (RFC 7838, section 3).
func (l *Listener) SetQUICAnswers(answers bool) { l.altSvc.set(answers) }

// Serve answers until Shutdown has ended, or until ctx ends, which cuts off every request. It returns when every loop and
// connection has ended; the error joins what ended a loop before its time. It is called once.
func (l *Listener) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Shutdown(ctx) })
	defer stop()
	l.serving.Do(l.startLoops)
	<-l.closed
	l.loops.Wait()
	<-l.conns.none()
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failures...)
}

func (l *Listener) startLoops() {
	for _, s := range l.https {
		l.loop(s.run)
		l.loop(func() error { return l.http.Serve(s) })
	}
	for _, s := range l.plain {
		l.loop(func() error { return l.http.Serve(s) })
	}
	for _, s := range l.quic {
		l.loop(s.run)
	}
}

// loop runs f until Shutdown ends it. One that ends before is reported; the others go on, and the self check shows what
// is missing.
func (l *Listener) loop(f func() error) {
	l.loops.Go(func() {
		err := f()
		if err == nil || errors.Is(err, http.ErrServerClosed) || l.accepting.Err() != nil {
			return
		}
		l.log.Error("a socket of the VIP no longer answers", "error", err)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failures = append(l.failures, err)
	})
}
