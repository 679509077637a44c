package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/proxy"
)

// fileWarnings are what is to be known of the files that cfg names: they can be used, but clients would be turned away.
func fileWarnings(cfg *configs.Config, read readings, now time.Time) (list []string) {
	for i, c := range read.certs.Certificates() {
		if c.Warning != "" {
			list = append(list, fmt.Sprintf("tls.certificates[%d]: %s: %s", i, c.File, c.Warning))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sites)) {
		for i, host := range cfg.Sites[name].Hosts {
			if !overHTTPS(cfg, cfg.Sites[name]) || host == "*" || onDemand(cfg, host) || mayObtain(cfg, host) {
				continue
			}
			if _, ok := read.certs.Until(host, now); !ok {
				list = append(list, fmt.Sprintf("sites.%s.hosts[%d]: no certificate covers %s: clients would be shown another's, or none", name, i, host))
			}
		}
	}
	for i, k := range read.certs.ECH() {
		for _, name := range k.PublicNames() {
			if _, ok := read.certs.Until(name, now); !ok && !mayObtain(cfg, name) {
				list = append(list, fmt.Sprintf("tls.ech_keys[%d]: no certificate covers its public name %s: a client that comes with an old key "+
					"can't learn of the present one, and is turned away", i, name))
			}
		}
	}
	for _, site := range slices.Sorted(maps.Keys(read.clients)) {
		for _, l := range read.clients[site].Status(now).Lists {
			if l.Warning != "" {
				list = append(list, fmt.Sprintf("sites.%s.client_certificates: %s %s", site, l.File, l.Warning))
			}
		}
	}
	return list
}

// overHTTPS tells whether a VIP of s speaks TLS.
func overHTTPS(cfg *configs.Config, s *proxy.SiteOptions) bool {
	for vip, v := range cfg.VIPs {
		if v.HTTPS != 0 && on(s, vip) {
			return true
		}
	}
	return false
}

// mayObtain tells whether ACME is asked for a certificate for name.
func mayObtain(cfg *configs.Config, name string) bool {
	if cfg.TLS.ACME == nil {
		return false
	}
	if hosts := cfg.TLS.ACME.Hosts; len(hosts) > 0 {
		return slices.Contains(hosts, name)
	}
	for vip, v := range cfg.VIPs {
		if v.HTTPS != 0 && slices.ContainsFunc(namesOf(cfg, vip), func(host string) bool { return strings.EqualFold(host, name) }) {
			return true
		}
	}
	return false
}
