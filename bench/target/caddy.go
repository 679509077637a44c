package target

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/anyedge/anyedge/bench/load"
)

// The versions that are built: the last of each that is known to go together.
const (
	caddyVersion        = "v2.10.2"
	cacheHandlerVersion = "v0.16.0"
)

func caddyPeer(program string) *Peer {
	why := ""
	if program == "" {
		why = "with --caddy it is built from Go's module proxy, which takes some minutes the first time"
	}
	return &Peer{
		Name: "caddy", Why: why, About: "Caddy " + caddyVersion + " with cache-handler " + cacheHandlerVersion + ", as it comes; one thread",
		Needs: []string{program}, Stores: true, Proxies: true, version: []string{program, "version"},
		start: func(ctx context.Context, s *Site, c Cores) (*Server, error) { return startCaddy(ctx, program, s, c) },
	}
}

// BuildCaddy builds Caddy with its cache handler from Go's module proxy and returns the program. It is kept below dir, and
// isn't built again.
func BuildCaddy(ctx context.Context, dir string) (program string, err error) {
	dir = filepath.Join(dir, "caddy-"+caddyVersion+"-"+cacheHandlerVersion)
	program = filepath.Join(dir, "caddy")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	const main = `package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/cache-handler"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(main), 0o644); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module bench.test/caddy\n\ngo 1.25\n"), 0o644); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"get", "github.com/caddyserver/caddy/v2@" + caddyVersion, "github.com/caddyserver/cache-handler@" + cacheHandlerVersion},
		{"mod", "tidy"},
		{"build", "-o", program, "."},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build Caddy: go %s: %w\n%s", args[0], err, out[max(len(out)-2000, 0):])
		}
	}
	return program, nil
}

func startCaddy(ctx context.Context, program string, site *Site, cores Cores) (*Server, error) {
	s, err := newServer("caddy", load.H1, load.H2, load.H3)
	if err != nil {
		return nil, err
	}
	_, port := split(s.Address)
	file, err := site.write("Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
	storage file_system %[1]s/caddy
	cache
}
https://:%[2]s {
	tls %[3]s %[4]s
	cache
	reverse_proxy %[5]s
}
`, site.Dir, port, site.Cert, site.Key, site.Origin))
	if err != nil {
		return nil, err
	}
	env := append(oneThread(cores), "HOME="+site.Dir)
	if err := s.start(site, cores, env, program, "run", "--adapter", "caddyfile", "--config", file); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}
