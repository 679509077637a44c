package h1

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
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

// isApart tells of fields that aren't written with the others.
func isApart(name string) bool {
	switch name {
	case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

// writeHead writes the header section of r, as net/http does. Without a Host it is the URL's.
func writeHead(b *bytes.Buffer, r *Request) error {
	host, err := hostOf(r)
	if err != nil {
		return err
	}
	target := r.URL.RequestURI()
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return fmt.Errorf("target %q has a space or a control character", target)
		}
	}
	b.WriteString(r.Method)
	b.WriteByte(' ')
	b.WriteString(target)
	b.WriteString(" HTTP/1.1\r\nHost: ")
	b.WriteString(host)
	b.WriteString("\r\n")
	if agent := r.Header["User-Agent"]; len(agent) > 0 && agent[0] != "" {
		if err := writeField(b, "User-Agent", agent[0]); err != nil {
			return err
		}
	}
	if err := writeFields(b, r); err != nil {
		return err
	}
	b.WriteString("\r\n")
	return nil
}

func hostOf(r *Request) (string, error) {
	host := cmp.Or(r.Host, r.Request.Host, r.URL.Host)
	ascii, err := httpguts.PunycodeHostPort(host)
	if err != nil {
		return "", fmt.Errorf("host %q: %w", host, err)
	}
	if !httpguts.ValidHostHeader(ascii) {
		return "", fmt.Errorf("host %q isn't one", ascii)
	}
	return ascii, nil
}

func writeFields(b *bytes.Buffer, r *Request) error {
	for name, values := range r.Header {
		if isApart(name) || slices.ContainsFunc(r.Fields, func(f Field) bool { return f.Name == name }) {
			continue
		}
		for _, v := range values {
			if err := writeField(b, name, v); err != nil {
				return err
			}
		}
	}
	for _, f := range r.Fields {
		if f.Name == "User-Agent" && f.Value == "" {
			continue // as net/http, which is told by that not to send its own
		}
		if err := writeField(b, f.Name, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// writeField writes a field line that is one.
func writeField(b *bytes.Buffer, name, value string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("invalid field name %q", name)
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("invalid value of field %s", name)
	}
	b.WriteString(name)
	b.WriteString(": ")
	b.WriteString(textproto.TrimString(value))
	b.WriteString("\r\n")
	return nil
}
