package target

import (
	"context"
	"fmt"

	"github.com/anyedge/anyedge/bench/load"
)

func nginx() *Peer {
	return &Peer{
		Name: "nginx", About: "proxy_cache on tmpfs, one worker, connections to the origin kept",
		Needs: []string{"nginx"}, Packages: []string{"nginx"}, Stores: true, Proxies: true, version: []string{"nginx", "-v"},
		start: func(ctx context.Context, s *Site, c Cores) (*Server, error) {
			return startNginx(ctx, s, c, "nginx", `
		location / {
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_cache files;
		}`)
		},
	}
}

func nginxFiles() *Peer {
	return &Peer{
		Name: "nginx-files", About: "an origin that has files: nginx as it comes, with TLS",
		Needs: []string{"nginx"}, Packages: []string{"nginx"}, Files: true, version: []string{"nginx", "-v"},
		start: func(ctx context.Context, s *Site, c Cores) (*Server, error) {
			return startNginx(ctx, s, c, "nginx-files", fmt.Sprintf(`
		location / {
			root %s;
			default_type image/png;
		}`, s.files()))
		},
	}
}

func startNginx(ctx context.Context, site *Site, cores Cores, name, location string) (*Server, error) {
	s, err := newServer(name, load.H1, load.H2)
	if err != nil {
		return nil, err
	}
	quic := ""
	if says("http_v3_module", "nginx", "-V") {
		s.Protocols = append(s.Protocols, load.H3)
		quic = fmt.Sprintf("listen %s quic;\n\t\tquic_gso on;", s.Address)
	}
	file, err := site.write(name+"/nginx.conf", fmt.Sprintf(`daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 8192; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 100000000;
	client_body_temp_path %[1]s/body;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	proxy_temp_path %[1]s/temp;
	proxy_cache_path %[1]s/cache keys_zone=files:16m inactive=1d;
	upstream origin {
		server %[5]s;
		keepalive 128;
		keepalive_requests 100000000;
	}
	server {
		listen %[2]s ssl http2;
		%[6]s
		ssl_certificate %[3]s;
		ssl_certificate_key %[4]s;
		ssl_protocols TLSv1.3;
		ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
		ssl_session_cache shared:tls:16m;
%[7]s
	}
}
`, site.Dir+"/"+name, s.Address, site.Cert, site.Key, site.Origin, quic, location))
	if err != nil {
		return nil, err
	}
	if err := s.start(site, cores, nil, "nginx", "-c", file); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}
