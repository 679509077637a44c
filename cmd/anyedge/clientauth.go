package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/clientauth"
	"github.com/anyedge/anyedge/tls/files"
)

// ownCertificate is what this node's self checks show to sites that ask for a certificate.
func ownCertificate(node string) (*tls.Certificate, error) {
	own, _, err := edgetls.SelfSigned(node)
	return &own, err
}

// clientPolicies reads whose certificates the sites of cfg take, by site; the error has every mistake.
func clientPolicies(cfg *configs.Config, own *tls.Certificate) (map[string]*clientauth.Policy, error) {
	policies := map[string]*clientauth.Policy{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Sites)) {
		o := cfg.Sites[name].ClientCertificates
		if o == nil {
			continue
		}
		p, err := clientauth.Load(*o, own.Leaf)
		if err != nil {
			errs = append(errs, fmt.Errorf("sites.%s.client_certificates: %w", name, err))
			continue
		}
		policies[name] = p
	}
	return policies, errors.Join(errs...)
}

// tlsConfig is that of vip's handshakes: a site may ask its clients for a certificate. The node's own doors have no VIP.
func (n *node) tlsConfig(vip string) *tls.Config {
	if vip == "" {
		return n.certs.Config()
	}
	return n.certs.ConfigBy(func(h *tls.ClientHelloInfo, base *tls.Config) *tls.Config {
		if p := n.server.ClientAuth(vip, h.ServerName); p != nil {
			return p.Config(base)
		}
		return nil
	})
}

// watchClients reads the files of clients' authorities and revocation lists again when they change, until ctx ends.
func (n *node) watchClients(ctx context.Context) error {
	tick := time.NewTicker(certInterval)
	defer tick.Stop()
	watchers := map[*clientauth.Policy]*files.Watcher{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		live := n.live.Load()
		next := make(map[*clientauth.Policy]*files.Watcher, len(live.clients))
		for site, p := range live.clients {
			if next[p] = watchers[p]; next[p] == nil {
				next[p] = &files.Watcher{}
			}
			next[p].Look(p.Reload, func(err error) { n.clientsChanged(site, err) })
		}
		watchers = next // reloads replace policies
	}
}

// clientsChanged is told of each reload of the files of a site's client certificates.
func (n *node) clientsChanged(site string, err error) {
	if err != nil {
		n.log.Error("client certificates: what was read before goes on", "site", site, "error", err)
		n.journal.Add(health.EventNode, n.config().Node.Name, "client certificates of site "+site+" not reloaded: "+firstLine(err))
		return
	}
	n.log.Info("client certificates reloaded", "site", site)
	n.journal.Add(health.EventNode, n.config().Node.Name, "client certificates of site "+site+" reloaded")
}
