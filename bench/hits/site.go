package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	edgetls "github.com/anyedge/anyedge/tls"
)

// site is what the servers serve: an origin in this process, a certificate, and a directory for their files.
type site struct {
	dir       string
	origin    string
	cert, key string
}

func newSite(dir string) (*site, error) {
	s := &site{dir: dir, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	pair, _, err := edgetls.SelfSigned("localhost", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, err
	}
	for file, block := range map[string]*pem.Block{
		s.cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, s.key: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.origin = ln.Addr().String()
	go func() { _ = http.Serve(ln, http.HandlerFunc(answer)) }() // ends with the process
	return s, nil
}

// answer answers /SIZE with that many octets.
func answer(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", "public, max-age=86400")
	h.Set("Etag", `"5f3c-61a0"`)
	h.Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
	h.Set("Content-Length", strconv.Itoa(size))
	_, _ = w.Write(make([]byte, size)) // the server that asked has gone
}

func (s *site) edgeConfig(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	return fmt.Sprintf(`node: {name: bench-1, metro: bench, address: 127.0.0.1}
vips:
  www: {addresses: [%s], https: %s}
tls:
  certificates: [{cert: %s, key: %s}]
origins:
  files: {servers: ["http://%s"]}
sites:
  files: {hosts: ["*"], origin: files}
admin: {listen: "%s"}
log: {level: error, access: off}
`, host, port, s.cert, s.key, s.origin, freeAddr())
}

func (s *site) nginxConfig(addr string) string {
	return fmt.Sprintf(`daemon off;
master_process off;
user root;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.log;
events { worker_connections 4096; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 100000000;
	open_file_cache max=1000;
	proxy_cache_path %[1]s/cache keys_zone=files:16m;
	proxy_temp_path %[1]s/temp;
	server {
		listen %[2]s ssl http2;
		ssl_certificate %[3]s;
		ssl_certificate_key %[4]s;
		ssl_protocols TLSv1.3;
		ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
		location / {
			proxy_pass http://%[5]s;
			proxy_cache files;
			add_header Cache-Status $upstream_cache_status;
		}
	}
}
`, s.dir, addr, s.cert, s.key, s.origin)
}
