package origin

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"sync"

	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/files"
)

// identity is the certificate by which this node shows servers who it is. Its files are looked at with every connection
// that begins, and read again when they have changed.
type identity struct {
	origin string
	files  edgetls.CertificateFiles
	log    *slog.Logger

	mu      sync.Mutex // guards the following fields
	watch   files.Watcher
	stamps  files.Stamps
	pair    *tls.Certificate
	version int // of what was read
}

// newIdentity reads the files of o; nil where it names none.
func newIdentity(origin string, o TLSOptions, log *slog.Logger) (*identity, error) {
	if o.Cert == "" {
		return nil, nil
	}
	i := &identity{origin: origin, files: edgetls.CertificateFiles{Cert: o.Cert, Key: o.Key}, log: log}
	_, err := i.reload()
	return i, err
}

// now is the certificate as its files have it, and which reading of them that is.
func (i *identity) now() (*tls.Certificate, int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.watch.Look(i.reload, i.reloaded)
	return i.pair, i.version
}

// reload reads the files if they have changed since they were last read without a mistake. i.mu is held, or i is nobody
// else's yet.
func (i *identity) reload() (changed bool, err error) {
	stamps := files.Look(i.files.Cert, i.files.Key)
	if i.pair != nil && stamps.Equal(i.stamps) {
		return false, nil
	}
	pair, err := edgetls.LoadPair(i.files)
	if err != nil {
		return true, err
	}
	i.pair, i.stamps = pair, stamps
	i.version++
	return true, nil
}

func (i *identity) reloaded(err error) {
	if err != nil {
		i.log.Error("client certificate towards an origin: the old one goes on", "origin", i.origin, "error", err)
		return
	}
	i.log.Info("client certificate towards an origin reloaded", "origin", i.origin)
}

// attach has c show the certificate.
func (i *identity) attach(c *tls.Config) {
	if i == nil {
		return
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, _ := i.now()
		return pair, nil
	}
	c.ClientSessionCache = &sessions{identity: i}
}

// sessions are TLS sessions with a server, which begin anew when the certificate does: the server knows them by the old one.
type sessions struct {
	identity *identity

	mu      sync.Mutex // guards the following fields
	version int
	cache   tls.ClientSessionCache
}

// Get fulfils tls.ClientSessionCache.
func (s *sessions) Get(key string) (*tls.ClientSessionState, bool) { return s.current().Get(key) }

// Put fulfils tls.ClientSessionCache.
func (s *sessions) Put(key string, state *tls.ClientSessionState) { s.current().Put(key, state) }

func (s *sessions) current() tls.ClientSessionCache {
	_, version := s.identity.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil || s.version != version {
		s.cache, s.version = tls.NewLRUClientSessionCache(sessionCache), version
	}
	return s.cache
}

// Identity is the certificate that the pool shows servers; nil: none.
func (p *Pool) Identity() *x509.Certificate {
	if p.identity == nil {
		return nil
	}
	pair, _ := p.identity.now()
	return pair.Leaf
}
