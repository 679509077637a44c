package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/health"
)

// Backend is the node as the API shows and steers it. Its methods may be called concurrently.
type Backend interface {
	// Status is the node at a glance; it must marshal to JSON.
	Status() any
	// Certificates is what is known of certificates, without any key; it must marshal to JSON.
	Certificates() any
	// Snapshot is what the status page shows; whole with the past of what it draws, else with what is new alone.
	Snapshot(whole bool) any
	// Config is the effective configuration, as YAML.
	Config() []byte
	// Explain says why a VIP, or every VIP where vip is empty, is at its level.
	Explain(vip string) (any, error)
	// ExplainURL says what is stored for a URL, and what a GET with these fields would get.
	ExplainURL(url string, fields http.Header) (cache.URLExplanation, error)
	// Purge drops stored responses.
	Purge(ctx context.Context, p cache.PurgeRequest) (cache.PurgeResult, error)
	// PurgeFleet drops stored responses on every node of the fleet; what it returns must marshal to JSON.
	PurgeFleet(ctx context.Context, p cache.PurgeRequest) (any, error)
	// Drain takes a VIP, or all where vip is empty, out of service by degrees, for d or until Undrain if that is 0.
	Drain(vip string, d time.Duration, reason string) error
	Undrain(vip string) error
	// Force sets a VIP's level for a time, whatever its signals say; Unforce takes that back, of all where vip is empty.
	Force(vip string, level uint8, d time.Duration, reason string) error
	Unforce(vip string) error
	// Blackhole has peers drop what is sent to a VIP's addresses for a time; Unblackhole takes that back, of all where vip
	// is empty.
	Blackhole(vip string, d time.Duration, reason string) error
	Unblackhole(vip string) error
	// Undamp forgets what the changes of a VIP's routes, or of all, have cost.
	Undamp(vip string) error
	// Upgrade starts the next process of this node, and returns when that has taken over. The error says why it hasn't, and
	// that nothing has changed.
	Upgrade(ctx context.Context, r UpgradeRequest) (any, error)
	// Ready returns nil while at least one VIP is announced, or else says why none is.
	Ready() error
}

// Server serves the admin API. Its address is bound by New, so that a port in use is known at the start.
type Server struct {
	options Options
	token   string
	backend Backend
	journal *health.Journal
	log     *slog.Logger
	http    *http.Server
	ln      net.Listener
	socket  net.Listener // ln without TLS
	yielded atomic.Bool
}

// New reads the files that o names and binds its address.
func New(o Options, b Backend, j *health.Journal, reg prometheus.Gatherer, log *slog.Logger) (*Server, error) {
	return NewOn(nil, o, b, j, reg, log)
}

// NewOn is New with a socket that the process before has bound to o's address; nil: it is bound here.
func NewOn(socket net.Listener, o Options, b Backend, j *health.Journal, reg prometheus.Gatherer, log *slog.Logger) (*Server, error) {
	read, err := o.readFiles()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, token: read.token, backend: b, journal: j, log: log}
	if s.ln = socket; socket == nil {
		if s.ln, err = bind(o.Listen); err != nil {
			return nil, err
		}
	}
	s.socket = s.ln
	if read.tls != nil {
		s.ln = tls.NewListener(s.ln, read.tls)
	}
	s.http = &http.Server{
		Handler:           s.routes(reg),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Serve answers until ctx ends; then it closes, event streams included, and returns nil.
func (s *Server) Serve(ctx context.Context) error {
	// The base context ends the event streams, which otherwise live as long as their clients wish.
	ctx, end := context.WithCancel(ctx)
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	stopped := make(chan struct{})
	go func() { // ends with ctx; Serve waits for it
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.http.Shutdown(grace) != nil {
			_ = s.http.Close()
		}
	}()
	err := s.http.Serve(s.ln)
	if s.yielded.Load() {
		<-ctx.Done()
		err = http.ErrServerClosed
	}
	end()
	<-stopped
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the admin API on %s: %w", s.options.Listen, err)
	}
	return nil
}

// Socket is what the server listens on, for the process that comes after this one.
func (s *Server) Socket() net.Listener { return s.socket }

// Yield leaves the socket to the next process: nothing more is accepted here. Requests under way are answered.
func (s *Server) Yield() {
	s.yielded.Store(true)
	if u, ok := s.socket.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // its name is the next process's
	}
	s.http.SetKeepAlivesEnabled(false)
	_ = s.ln.Close() // fails only where it is closed already
}

func bind(listen string) (net.Listener, error) {
	path, unix := strings.CutPrefix(listen, "unix:")
	if !unix {
		ln, err := net.Listen("tcp", listen)
		if err != nil {
			return nil, fmt.Errorf("admin.listen: %w: choose another address, or see who has it: ss -lntp", err)
		}
		return ln, nil
	}
	removeStale(path)
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin.listen: %w", err)
	}
	// The socket's group may use the API; others may not.
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("admin.listen: %w", err), ln.Close())
	}
	return ln, nil
}

// removeStale removes the socket that a process which was killed left behind: one that nobody answers on.
func removeStale(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return
	}
	_ = os.Remove(path)
}
