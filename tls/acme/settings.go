package acme

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	acmeproto "github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"github.com/anyedge/anyedge/tls/acme/dns01"
)

// settings are what one configuration is made into. A step begins and ends with the same.
type settings struct {
	options  Options
	storage  certmagic.Storage
	depot    *depot // nil: the nodes share no storage
	issuers  []*issuer
	interval time.Duration
	zap      *zap.Logger

	steps   int  // under way; guarded by Manager.mu, as is retired
	retired bool // others have taken their place
}

// newSettings reads the files that o names and makes the storage's directory.
func newSettings(o Options, c *Config, m *metrics) (*settings, error) {
	if err := os.MkdirAll(o.Storage, 0o700); err != nil {
		return nil, fmt.Errorf("make tls.acme.storage: let the user that anyedge runs as make it (uid %d): %w", os.Getuid(), err)
	}
	log := c.Log
	local := &sealed{Storage: &certmagic.FileStorage{Path: o.Storage}, keys: c.StorageKeys, seals: o.Redis != nil, opens: true}
	s := &settings{options: o, storage: local, interval: c.Interval, zap: newZap(log)}
	zones, err := dns01.New(o.DNS)
	if err != nil {
		return nil, fmt.Errorf("tls.acme.dns: %w", err)
	}
	solve := solving{zones, solvers(&o, c.Challenges)}
	if s.depot, err = newDepot(&o, c); err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range o.authorities() {
		i, err := newIssuer(s, a, solve, m, demote(log))
		if err != nil {
			errs = append(errs, fmt.Errorf("authority %s: %w", a.Directory, err))
			continue
		}
		s.issuers = append(s.issuers, i)
	}
	if err := errors.Join(errs...); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close ends connections. No step is under way.
func (s *settings) close() {
	s.depot.close()
	for _, i := range s.issuers {
		i.transport.CloseIdleConnections()
	}
}

// solving is how names are shown to be ours: those of zones by DNS, all others by what answers at the VIPs.
type solving struct {
	zones  *dns01.Solver
	others map[string]acmez.Solver
}

// of are the solvers for a certificate with names, which is one.
func (s *solving) of(names []string) map[string]acmez.Solver {
	if len(names) > 0 && s.zones.Covers(names[0]) {
		return map[string]acmez.Solver{acmeproto.ChallengeTypeDNS01: s.zones}
	}
	return s.others
}

func solvers(o *Options, c Challenges) map[string]acmez.Solver {
	m := map[string]acmez.Solver{}
	for _, kind := range o.allowed() {
		m[kind] = solver{c}
	}
	return m
}

// keyTypes are certmagic's names for ours.
var keyTypes = map[string]certmagic.KeyType{
	"p256": certmagic.P256, "p384": certmagic.P384, "ed25519": certmagic.ED25519,
	"rsa2048": certmagic.RSA2048, "rsa4096": certmagic.RSA4096,
}

// magic is certmagic for one step. Its cache lives for that step alone, since what certmagic does by itself over time
// is the manager's to do: with a goroutine that ends, and an outcome that is told.
func (s *settings) magic() (*certmagic.Config, *certmagic.Cache) {
	var c *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return c, nil },
		RenewCheckInterval: s.interval,
		Logger:             s.zap,
	})
	issuers := make([]certmagic.Issuer, len(s.issuers))
	for i := range s.issuers {
		issuers[i] = s.issuers[i]
	}
	c = certmagic.New(cache, certmagic.Config{
		Issuers: issuers, Storage: s.storage, Logger: s.zap,
		KeySource: certmagic.StandardKeyGenerator{KeyType: keyTypes[s.options.KeyType]},
	})
	return c, cache
}
