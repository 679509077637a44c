package h1

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Takes tells whether r is for a Client: a GET or HEAD without content, after which the connection speaks H1 still.
func Takes(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Body != nil && r.Body != http.NoBody {
		return false
	}
	for _, name := range [...]string{"Upgrade", "Connection", "Expect"} {
		if _, there := r.Header[name]; there {
			return false
		}
	}
	return r.ContentLength == 0 && len(r.Trailer) == 0 && len(r.TransferEncoding) == 0 && !r.Close && !strings.Contains(r.Host, "%")
}

// apart are the fields that aren't written with the others.
var apart = map[string]bool{"Host": true, "User-Agent": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true}

// writeHead writes the header section of r, whose URL names the server, as net/http does.
func writeHead(b *bytes.Buffer, r *http.Request) error {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	host, err := httpguts.PunycodeHostPort(host)
	if err != nil {
		return fmt.Errorf("host %q: %w", r.Host, err)
	}
	if !httpguts.ValidHostHeader(host) {
		return fmt.Errorf("host %q isn't one", host)
	}
	target := r.URL.RequestURI()
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return fmt.Errorf("target %q has a space or a control character", target)
		}
	}
	if err := checkFields(r.Header); err != nil {
		return err
	}
	b.WriteString(r.Method)
	b.WriteByte(' ')
	b.WriteString(target)
	b.WriteString(" HTTP/1.1\r\nHost: ")
	b.WriteString(host)
	b.WriteString("\r\n")
	if agent := r.Header.Get("User-Agent"); agent != "" {
		b.WriteString("User-Agent: ")
		b.WriteString(agent)
		b.WriteString("\r\n")
	}
	_ = r.Header.WriteSubset(b, apart) // fails with b only, which doesn't
	b.WriteString("\r\n")
	return nil
}

func checkFields(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("invalid field name %q", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("invalid value of field %s", name)
			}
		}
	}
	return nil
}
