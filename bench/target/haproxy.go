package target

import (
	"context"
	"fmt"

	"github.com/anyedge/anyedge/bench/load"
)

func haproxy() *Peer {
	return &Peer{
		Name: "haproxy", About: "its cache, in memory, one thread, connections to the origin kept",
		Needs: []string{"haproxy"}, Packages: []string{"haproxy"}, Stores: true, Proxies: true,
		version: []string{"haproxy", "-v"}, start: startHAProxy,
	}
}

func startHAProxy(ctx context.Context, site *Site, cores Cores) (*Server, error) {
	s, err := newServer("haproxy", load.H1, load.H2)
	if err != nil {
		return nil, err
	}
	quic, limited := "", ""
	if says("+QUIC_OPENSSL_COMPAT", "haproxy", "-vv") { // OpenSSL's own interface lacks something, and it wants to be asked
		limited = "limited-quic"
	}
	if says("+QUIC", "haproxy", "-vv") {
		s.Protocols = append(s.Protocols, load.H3)
		quic = fmt.Sprintf("bind quic4@%s ssl crt %s alpn h3", s.Address, site.both())
	}
	protocol := ""
	if site.H2 {
		protocol = "proto h2"
	}
	file, err := site.write("haproxy.cfg", fmt.Sprintf(`global
	nbthread 1
	maxconn 8000
	ssl-default-bind-options ssl-min-ver TLSv1.3
	ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
	%[5]s
defaults
	mode http
	timeout connect 5s
	timeout client 1m
	timeout server 1m
cache files
	total-max-size 256
	max-object-size 67108864
	max-age 86400
frontend https
	bind %[1]s ssl crt %[2]s alpn h2,http/1.1
	%[4]s
	default_backend origin
backend origin
	http-request cache-use files
	http-response cache-store files
	server origin %[3]s %[6]s
`, s.Address, site.both(), site.Origin, quic, limited, protocol))
	if err != nil {
		return nil, err
	}
	if err := s.start(site, cores, nil, "haproxy", "-db", "-f", file); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}
