package probe

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Options is one probe of a co-located service: exactly one of DNS, TCP, TLS, HTTP and Exec says what is asked. It is an
// item of the `vips.NAME.probes` key.
type Options struct {
	DNS  string   `yaml:"dns"`  // HOST:PORT of a name server
	TCP  string   `yaml:"tcp"`  // HOST:PORT that must accept a connection
	TLS  string   `yaml:"tls"`  // HOST:PORT that must complete a handshake
	HTTP string   `yaml:"http"` // URL of a GET
	Exec []string `yaml:"exec"` // program, by its absolute path, and arguments; it must exit with 0

	// Query is what DNS asks: a name and a type, "example.com. SOA".
	Query string `yaml:"query"`
	// Transport is DNS's: udp, which goes on over TCP where the answer is truncated, or tcp.
	Transport string `yaml:"transport"`
	// Expect is DNS's response code, by default NOERROR, or HTTP's status: "200", or a class, by default "2xx".
	Expect string `yaml:"expect"`
	// Answer is a text that one record of DNS's answer, or the first 64 KiB of HTTP's content, must hold.
	Answer string `yaml:"answer"`
	// ServerName is the host that TLS and HTTP ask for and that the certificate must cover; by default that of the
	// address or URL, if it is a name. Who issued the certificate is not looked at.
	ServerName string `yaml:"server_name"`
	// Timeout bounds the whole probe: a service that takes longer is as good as down.
	Timeout time.Duration `yaml:"timeout"`
}

const (
	transportUDP = "udp"
	transportTCP = "tcp"
)

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Transport: transportUDP, Timeout: time.Second} }

// kind is the key that says what is asked.
type kind string

const (
	kindDNS  kind = "dns"
	kindTCP  kind = "tcp"
	kindTLS  kind = "tls"
	kindHTTP kind = "http"
	kindExec kind = "exec"
)

// kinds are those that are given, of which there must be one.
func (o *Options) kinds() (given []kind) {
	for k, is := range map[kind]bool{
		kindDNS: o.DNS != "", kindTCP: o.TCP != "", kindTLS: o.TLS != "", kindHTTP: o.HTTP != "", kindExec: len(o.Exec) > 0,
	} {
		if is {
			given = append(given, k)
		}
	}
	slices.Sort(given)
	return given
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Timeout < 10*time.Millisecond || o.Timeout > time.Minute {
		report("timeout", "must lie between 10ms and 1m")
	}
	given := o.kinds()
	if len(given) != 1 {
		report("", "needs exactly one of dns, tcp, tls, http and exec")
		return
	}
	o.checkTarget(given[0], report)
	o.checkDNS(given[0], report)
	o.checkHTTP(given[0], report)
	if o.ServerName != "" && given[0] != kindTLS && given[0] != kindHTTP {
		report("server_name", "is for tls and http")
	}
}

func (o *Options) checkTarget(k kind, report func(key, problem string)) {
	switch k {
	case kindExec:
		if !filepath.IsAbs(o.Exec[0]) {
			report("exec", fmt.Sprintf("%q is not an absolute path", o.Exec[0]))
		}
	case kindHTTP:
		if u, err := url.Parse(o.HTTP); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			report("http", fmt.Sprintf("%q is not a whole http or https URL", o.HTTP))
		}
	default:
		checkAddress(string(k), cmp.Or(o.DNS, o.TCP, o.TLS), report)
	}
}

func checkAddress(key, address string, report func(key, problem string)) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		report(key, fmt.Sprintf("%q is not HOST:PORT, as 127.0.0.1:53 or [::1]:53", address))
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		report(key, fmt.Sprintf("%q is not a port", port))
	}
}

func (o *Options) checkDNS(k kind, report func(key, problem string)) {
	if k != kindDNS {
		if o.Query != "" {
			report("query", "is for dns")
		}
		if o.Transport != transportUDP {
			report("transport", "is for dns")
		}
		return
	}
	if _, err := parseQuery(o.Query); err != nil {
		report("query", err.Error())
	}
	if o.Transport != transportUDP && o.Transport != transportTCP {
		report("transport", fmt.Sprintf("%q is neither %q nor %q", o.Transport, transportUDP, transportTCP))
	}
	if _, known := dns.StringToRcode[strings.ToUpper(o.Expect)]; o.Expect != "" && !known {
		report("expect", fmt.Sprintf("%q is no response code, as NOERROR or NXDOMAIN", o.Expect))
	}
}

func (o *Options) checkHTTP(k kind, report func(key, problem string)) {
	if k != kindHTTP && k != kindDNS {
		if o.Expect != "" {
			report("expect", "is for dns and http")
		}
		if o.Answer != "" {
			report("answer", "is for dns and http")
		}
		return
	}
	if k == kindHTTP && !validStatus(o.Expect) {
		report("expect", fmt.Sprintf("%q is neither a status, as 200, nor a class, as 2xx", o.Expect))
	}
}
