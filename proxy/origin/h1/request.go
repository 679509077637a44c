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

// writeHead writes the header section of r, as net/http does.
func writeHead(b *bytes.Buffer, r *Request) error {
	host, err := r.Authority()
	if err != nil {
		return err
	}
	target, err := r.Target()
	if err != nil {
		return err
	}
	b.WriteString(r.Method)
	b.WriteByte(' ')
	b.WriteString(target)
	b.WriteString(" HTTP/1.1\r\nHost: ")
	b.WriteString(host)
	b.WriteString("\r\n")
	err = r.Lines(func(name, value string) {
		b.WriteString(name)
		b.WriteString(": ")
		b.WriteString(value)
		b.WriteString("\r\n")
	})
	b.WriteString("\r\n")
	return err
}

// Authority is the host, and the port where it has one, that the request is for (RFC 9110, section 7.2): the URL's, where none
// is named. Its names are ASCII. The error says that it isn't one.
func (r *Request) Authority() (string, error) {
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

// Target is the request target in origin form (RFC 9112, section 3.2.1). The error says that it would end too early.
func (r *Request) Target() (string, error) {
	target := r.URL.RequestURI()
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return "", fmt.Errorf("target %q has a space or a control character", target)
		}
	}
	return target, nil
}

// Lines calls line for each field line but Host, in no order. The error is the first that isn't one; there may have been others
// before.
func (r *Request) Lines(line func(name, value string)) error {
	if agent := r.Header["User-Agent"]; len(agent) > 0 && agent[0] != "" {
		if err := emit(line, "User-Agent", agent[0]); err != nil {
			return err
		}
	}
	for name, values := range r.Header {
		if isApart(name) || slices.ContainsFunc(r.Fields, func(f Field) bool { return f.Name == name }) {
			continue
		}
		for _, v := range values {
			if err := emit(line, name, v); err != nil {
				return err
			}
		}
	}
	for _, f := range r.Fields {
		if f.Name == "User-Agent" && f.Value == "" {
			continue // as net/http, which is told by that not to send its own
		}
		if err := emit(line, f.Name, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// emit passes on a field line that is one.
func emit(line func(name, value string), name, value string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("invalid field name %q", name)
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("invalid value of field %s", name)
	}
	line(name, textproto.TrimString(value))
	return nil
}
