package target

import (
	"context"
	"fmt"

	"github.com/anyedge/anyedge/bench/load"
)

func h2o() *Peer {
	return &Peer{
		Name: "h2o", About: "files on tmpfs, since it has no shared cache: a ceiling, not a cache; misses by its proxy; one thread",
		Needs: []string{"h2o"}, Packages: []string{"h2o"}, Files: true, Proxies: true,
		version: []string{"h2o", "-v"}, start: startH2O,
	}
}

func startH2O(ctx context.Context, site *Site, cores Cores) (*Server, error) {
	s, err := newServer("h2o", load.H1, load.H2)
	if err != nil {
		return nil, err
	}
	host, port := split(s.Address)
	file, err := site.write("h2o.conf", fmt.Sprintf(`num-threads: 1
user: root
pid-file: %[1]s/h2o.pid
error-log: %[1]s/h2o.log
proxy.timeout.keepalive: 60000
proxy.preserve-host: ON
http1-request-timeout: 60
http2-idle-timeout: 60
listen:
  host: %[2]s
  port: %[3]s
  ssl:
    certificate-file: %[4]s
    key-file: %[5]s
    minimum-version: TLSv1.2
hosts:
  default:
    paths:
      /0/: {proxy.reverse.url: "http://%[6]s/0/"}
      /: {file.dir: %[7]s, file.mime.setdefaulttype: image/png}
`, site.Dir, host, port, site.Cert, site.Key, site.Origin, site.files()))
	if err != nil {
		return nil, err
	}
	if err := s.start(site, cores, nil, "h2o", "-c", file); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}
