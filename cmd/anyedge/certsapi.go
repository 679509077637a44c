package main

import (
	"encoding/base64"
	"maps"
	"slices"
	"time"

	"github.com/anyedge/anyedge/configs"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/acme"
)

// Certificates is what is known of certificates, of this node, its clients and towards origins. No key is in it.
func (n *node) Certificates() any {
	l, now := n.live.Load(), time.Now()
	all := Certificates{VIPs: doors(l.cfg)}
	obtained, demanded := n.acme.Status(), n.acme.Demanded()
	for _, c := range n.certs.Certificates() {
		all.Certificates = append(all.Certificates, certificateStatus(c, obtained, demanded))
	}
	for _, s := range obtained {
		if n.acme.Missing(s.Name) {
			all.Missing = append(all.Missing, s)
		}
	}
	if p := n.certProblem.Load(); p != nil {
		all.Problem = *p
	}
	for _, k := range n.certs.ECH() {
		all.ECH = append(all.ECH, ECHStatus{ConfigID: k.ID(), PublicNames: k.PublicNames(), List: base64.StdEncoding.EncodeToString(k.List())})
	}
	for _, site := range slices.Sorted(maps.Keys(l.clients)) {
		all.Clients = append(all.Clients, ClientsStatus{site, l.clients[site].Status(now)})
	}
	for _, name := range slices.Sorted(maps.Keys(l.pools)) {
		if c := l.pools[name].Identity(); c != nil {
			all.Origins = append(all.Origins, OriginCertificate{
				Origin: name, File: l.cfg.Origins[name].TLS.Cert, Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotAfter: c.NotAfter,
			})
		}
	}
	return all
}

// certificateStatus adds what ACME knows of a certificate's names.
func certificateStatus(c edgetls.CertificateInfo, obtained []acme.Status, demanded []string) CertificateStatus {
	s := CertificateStatus{CertificateInfo: c, From: "made here"}
	switch {
	case c.File != "":
		s.From = "file"
	case c.Authority != "":
		s.From = "acme"
		for _, o := range obtained {
			if slices.Contains(c.Names, o.Name) {
				s.Renewal, s.NextTry, s.Problem = o.Renewal, o.NextTry, o.Problem
			}
		}
		if slices.ContainsFunc(c.Names, func(name string) bool { return slices.Contains(demanded, name) }) {
			s.From = "on demand"
		}
	}
	return s
}

// doors are where each VIP is served over TLS.
func doors(cfg *configs.Config) (list []VIPDoors) {
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		v := cfg.VIPs[name]
		if v.HTTPS == 0 {
			continue
		}
		d := VIPDoors{VIP: name}
		for _, a := range v.Addresses {
			d.Addresses = append(d.Addresses, at(a, v.HTTPS))
		}
		list = append(list, d)
	}
	return list
}
