package target

import (
	"context"
	"fmt"

	"github.com/anyedge/anyedge/bench/load"
)

// StartEdge runs a build of anyedge.
func StartEdge(ctx context.Context, name, binary string, site *Site, cores Cores) (*Server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port := split(address)
	file, err := site.write(name+".yaml", fmt.Sprintf(`node: {name: bench-1, metro: bench, address: 127.0.0.1}
vips:
  www: {addresses: [%s], https: %s}
tls:
  certificates: [{cert: %s, key: %s}]
origins:
  files: {servers: ["http://%s"], h2c: %t}
sites:
  files: {hosts: ["*"], origin: files, cache: {stale_if_error: 1d}}
admin: {listen: "%s"}
log: {level: error, access: off}
`, host, port, site.Cert, site.Key, site.Origin, site.H2, admin))
	if err != nil {
		return nil, err
	}
	s := &Server{Name: name, Address: address, Protocols: []load.Protocol{load.H1, load.H2, load.H3}}
	if err := s.start(site, cores, oneThread(cores), binary, "run", "-c", file); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}

// oneThread keeps a server in Go to one thread where it has one core.
func oneThread(cores Cores) []string {
	if cores.Server < 0 {
		return nil
	}
	return []string{"GOMAXPROCS=1"}
}
