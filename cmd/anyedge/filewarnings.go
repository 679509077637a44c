package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/configs"
)

// fileWarnings are what is to be known of the files that cfg names: they can be used, but clients would be turned away.
func fileWarnings(cfg *configs.Config, read readings, now time.Time) (list []string) {
	for i, c := range read.certs.Certificates() {
		if c.Warning != "" {
			list = append(list, fmt.Sprintf("tls.certificates[%d]: %s: %s", i, c.File, c.Warning))
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
