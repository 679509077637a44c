package target

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/anyedge/anyedge/bench/load"
)

func varnish() *Peer {
	return &Peer{
		Name: "varnish", About: "with Hitch before it, over a socket of the file system and the PROXY protocol; malloc storage",
		Needs: []string{"varnishd", "hitch"}, Packages: []string{"varnish", "hitch"}, Stores: true, Proxies: true,
		version: []string{"varnishd", "-V"}, start: startVarnish,
	}
}

func startVarnish(ctx context.Context, site *Site, cores Cores) (*Server, error) {
	s, err := newServer("varnish", load.H1, load.H2)
	if err != nil {
		return nil, err
	}
	host, port := split(site.Origin)
	vcl, err := site.write("varnish.vcl", fmt.Sprintf("vcl 4.1;\nbackend default { .host = %q; .port = %q; }\n", host, port))
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(site.Dir, "varnish.sock")
	err = s.start(site, cores, nil, "varnishd", "-F", "-n", filepath.Join(site.Dir, "varnish"), "-a", socket+",PROXY,mode=666",
		"-f", vcl, "-s", "malloc,1g", "-p", "feature=+http2")
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, func() error { _, err := os.Stat(socket); return err }); err != nil {
		return nil, err
	}
	user := ""
	if os.Getuid() == 0 {
		user = `user = "_hitch"` // Debian's; it doesn't work as root
	}
	host, port = split(s.Address)
	file, err := site.write("hitch.conf", fmt.Sprintf(`frontend = "[%s]:%s"
backend = "%s"
pem-file = "%s"
write-proxy-v2 = on
workers = 1
daemon = off
tls-protos = TLSv1.3
ciphersuites = "TLS_AES_128_GCM_SHA256"
alpn-protos = "h2, http/1.1"
%s
`, host, port, socket, site.both(), user))
	if err != nil {
		return nil, err
	}
	if err := s.start(site, cores, nil, "hitch", "--config="+file); err != nil {
		s.Stop()
		return nil, err
	}
	return s, s.ready(ctx)
}
