package origin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// Reporter hears how an origin does; *health.Tracker fulfils it. It is called from requests and must not block.
type Reporter interface {
	// Fill is told of each request that an origin was sent, once its outcome is known.
	Fill(origin string, f health.Fill)
	// Place is told of each request whether it found a place at a server at once, or had to wait, maybe in vain.
	Place(origin string, atOnce bool)
	// Servers is told how many servers active probes find up, after each probe.
	Servers(origin string, up, total int, detail string)
}

// Pool is the servers of one origin. Its methods may be called concurrently.
type Pool struct {
	name     string
	options  Options
	reporter Reporter
	journal  *health.Journal
	log      *slog.Logger
	servers  []*server
	identity *identity // nil: servers are shown no certificate
	budget   budget
	counts   counts

	mu      sync.Mutex // guards the following field, and the state of the servers
	waiting []*waiter  // first come, first served
}

// counts are the pool's figures since it was made.
type counts struct {
	sent, failed, retries, ejections, refused atomic.Int64
}

// New makes the pool of the origin with that name, from options that Check found good. It reads the CA file, and
// connects to nobody yet. A nil reporter hears nothing.
func New(name string, o Options, r Reporter, j *health.Journal, log *slog.Logger) (*Pool, error) {
	p := &Pool{name: name, options: o, reporter: r, journal: j, log: log}
	if r == nil {
		p.reporter = silence{}
	}
	roots, err := readRoots(o.TLS.CAFile)
	if err != nil {
		return nil, fmt.Errorf("origins.%s.tls.ca_file: %w", name, err)
	}
	if p.identity, err = newIdentity(name, o.TLS, log); err != nil {
		return nil, fmt.Errorf("origins.%s.tls: %w", name, err)
	}
	now := time.Now()
	for _, s := range o.Servers {
		u, err := url.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("origins.%s.servers: %w", name, err)
		}
		p.servers = append(p.servers, newServer(u, o, roots, p.identity, now))
	}
	if len(p.servers) == 0 {
		return nil, fmt.Errorf("origins.%s.servers: is empty", name)
	}
	return p, nil
}

// silence is the reporter of a pool whose doings interest nobody.
type silence struct{}

func (silence) Fill(string, health.Fill)         {}
func (silence) Place(string, bool)               {}
func (silence) Servers(string, int, int, string) {}

// Name is the origin's name.
func (p *Pool) Name() string { return p.name }

// Options are what the pool was made from.
func (p *Pool) Options() Options { return p.options }

// RoundTrip sends r to a server and returns the response once its header section has come. r.URL needs no scheme and
// host. The response's content streams from Body, which must be closed; it holds a place at the server until its end.
// The response's Request has a URL that names the server.
// A request to upgrade (Connection: Upgrade) is answered with status 101 and a Body that is an io.ReadWriteCloser.
// Errors are *Error, r's context's, or those of reading r's content. Unlike with http.RoundTripper, a content that
// wasn't read at all isn't closed: it is its owner's.
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) { return p.Send(r, nil) }

// Field is a field line; its name is in canonical form.
type Field = h1.Field

// Send is RoundTrip with more fields, in place of those of the same names. It changes nothing of r, which may share its fields
// with others.
func (p *Pool) Send(r *http.Request, more []Field) (*http.Response, error) {
	now := time.Now()
	p.budget.request(now)
	content := newUpload(r)
	defer content.settle()
	s, began, err := p.acquire(r.Context(), nil, now)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		resp, sent, err := p.send(s, began, r, more, content)
		if err == nil {
			return resp, nil
		}
		if !p.mayRetry(r, content, sent, try) {
			return nil, err
		}
		p.counts.retries.Add(1)
		p.journal.Add(health.EventFill, p.name, "retried: "+err.Error())
		next, at, full := p.acquire(r.Context(), s, time.Now())
		if full != nil {
			return nil, err // why the request failed, rather than why it wasn't sent again
		}
		s, began = next, at
	}
}

// Close drops the idle connections; those in use end with their requests.
func (p *Pool) Close() {
	for _, s := range p.servers {
		s.closeIdle()
	}
}

// canceled counts a request to s whose client left, which says nothing about s.
func (p *Pool) canceled(s *server) {
	p.counts.sent.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.results["canceled"]++
}

// failed takes note of a request that failed at s, and ejects s where it is one too many.
func (p *Pool) failed(s *server, began time.Time, result string, err error) {
	p.counts.sent.Add(1)
	p.counts.failed.Add(1)
	p.mu.Lock()
	s.results[result]++
	ejected := s.failed(time.Now(), began, p.options.Ejection, err)
	p.mu.Unlock()
	if ejected > 0 {
		p.counts.ejections.Add(1)
		p.journal.Add(health.EventOrigin, p.name, fmt.Sprintf("%s ejected for %s: %v", s.url, ejected, err))
		p.log.Warn("server ejected", "origin", p.name, "server", s.url.String(), "for", ejected, "error", err)
	}
}

func (p *Pool) succeeded(s *server, began time.Time, result string) {
	p.counts.sent.Add(1)
	p.mu.Lock()
	s.results[result]++
	readmitted := s.succeeded(began)
	p.mu.Unlock()
	if readmitted {
		p.journal.Add(health.EventOrigin, p.name, s.url.String()+" readmitted")
	}
}

// clientLeft says whether whoever asked has gone, so that an error is no fault of the server.
func clientLeft(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }
