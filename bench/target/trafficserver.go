package target

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/anyedge/anyedge/bench/load"
)

func trafficServer() *Peer {
	return &Peer{
		Name: "ats", About: "Traffic Server: a RAM cache before a cache on tmpfs, one thread, connections to the origin kept",
		Needs: []string{"traffic_server"}, Packages: []string{"trafficserver"}, Stores: true, Proxies: true,
		version: []string{"traffic_server", "-V"}, start: startTrafficServer,
	}
}

func startTrafficServer(ctx context.Context, site *Site, cores Cores) (*Server, error) {
	s, err := newServer("ats", load.H1, load.H2)
	if err != nil {
		return nil, err
	}
	_, port := split(s.Address)
	root := filepath.Join(site.Dir, "ats")
	for _, d := range []string{"run", "log", "cache"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return nil, err
		}
	}
	for name, content := range map[string]string{
		"etc/records.config":       trafficServerRecords(port),
		"etc/remap.config":         fmt.Sprintf("map / http://%s/\n", site.Origin),
		"etc/ssl_multicert.config": fmt.Sprintf("dest_ip=* ssl_cert_name=%s ssl_key_name=%s\n", site.Cert, site.Key),
		"etc/storage.config":       filepath.Join(root, "cache") + " 256M\n",
		"etc/ip_allow.yaml":        "ip_allow:\n  - {apply: in, ip_addrs: 0/0, action: allow, methods: ALL}\n",
		"etc/plugin.config":        "",
		"etc/logging.yaml":         "",
		"runroot.yaml": fmt.Sprintf(`prefix: %[1]s
exec_prefix: %[1]s
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: %[1]s/etc
datadir: %[1]s/cache
includedir: /usr/include
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
localstatedir: %[1]s/run
runtimedir: %[1]s/run
logdir: %[1]s/log
mandir: /usr/share/man
infodir: /usr/share/info
cachedir: %[1]s/cache
`, root),
	} {
		if _, err := site.write("ats/"+name, content); err != nil {
			return nil, err
		}
	}
	if err := s.start(site, cores, nil, "traffic_server", "--run-root="+filepath.Join(root, "runroot.yaml")); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}

// trafficServerRecords keeps the process to the user that starts it, to one thread, and to memory.
func trafficServerRecords(port string) string {
	return fmt.Sprintf(`CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.http.server_ports STRING %s:ssl:ip-in=127.0.0.1
CONFIG proxy.config.ssl.server.cert.path STRING /
CONFIG proxy.config.ssl.server.private_key.path STRING /
CONFIG proxy.config.ssl.TLSv1_2 INT 0
CONFIG proxy.config.ssl.server.TLSv1_3.cipher_suites STRING TLS_AES_128_GCM_SHA256
CONFIG proxy.config.ssl.session_cache INT 2
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.cache.ram_cache.size INT 268435456
CONFIG proxy.config.cache.ram_cache_cutoff INT 67108864
CONFIG proxy.config.http.keep_alive_enabled_out INT 1
CONFIG proxy.config.http.server_session_sharing.pool STRING thread
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.url_remap.pristine_host_hdr INT 1
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.diags.output.status STRING L
`, port)
}
