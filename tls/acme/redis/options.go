package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Options is the `tls.acme.redis` key of the configuration.
type Options struct {
	Server       string `yaml:"server"`        // HOST:PORT
	Username     string `yaml:"username"`      // of Redis's access lists; empty: the default user
	PasswordFile string `yaml:"password_file"` // its one line is the password; empty: none
	Database     int    `yaml:"database"`
	// Prefix is ahead of every key, so that fleets can share a Redis.
	Prefix     string `yaml:"prefix"`
	TLS        bool   `yaml:"tls"`
	CAFile     string `yaml:"ca_file"`     // PEM: whom the server's certificate must come from; empty: the system's
	ServerName string `yaml:"server_name"` // that it must have; empty: the server's host
	// Timeout bounds each call, connecting included.
	Timeout time.Duration `yaml:"timeout"`
	// LockLife is how long a lock outlives its owner. It is renewed each third of that.
	LockLife time.Duration `yaml:"lock_life"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{Prefix: "anyedge/", Timeout: 2 * time.Second, LockLife: 30 * time.Second}
}

// Check reports every value that can't be right. It reads no files: see CheckFiles.
func (o *Options) Check(report func(key, problem string)) {
	if host, port, err := net.SplitHostPort(o.Server); err != nil || host == "" || !isPort(port) {
		report("server", "must be HOST:PORT of the Redis server, such as redis.example.com:6379")
	}
	if o.Database < 0 {
		report("database", "must not be negative")
	}
	if o.Prefix == "" {
		report("prefix", "must not be empty: without one, everything in the database would be this fleet's")
	}
	if o.Timeout < time.Millisecond || o.Timeout > time.Minute {
		report("timeout", "must be between 1ms and 1m")
	}
	if o.LockLife < time.Second || o.LockLife > time.Hour {
		report("lock_life", "must be between 1s and 1h")
	}
	if !o.TLS {
		for key, value := range map[string]string{"ca_file": o.CAFile, "server_name": o.ServerName} {
			if value != "" {
				report(key, "has a meaning with tls: true alone")
			}
		}
	}
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// CheckFiles reports every file that is named and can't be read, or has not what it should have.
func (o *Options) CheckFiles(report func(key, problem string)) {
	if _, err := o.password(); err != nil {
		report("password_file", err.Error())
	}
	if _, err := o.tlsConfig(); err != nil {
		report("ca_file", err.Error())
	}
}

// password is that of PasswordFile. Errors don't quote it.
func (o *Options) password() (string, error) {
	if o.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read the password of Redis from %s: %w", o.PasswordFile, reason(err))
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" || strings.ContainsAny(password, "\r\n") {
		return "", fmt.Errorf("read the password of Redis: %s must have it in one line, and nothing else", o.PasswordFile)
	}
	return password, nil
}

// tlsConfig is nil for plain TCP.
func (o *Options) tlsConfig() (*tls.Config, error) {
	if !o.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(o.Server) // Check has seen to it
	}
	if o.CAFile == "" {
		return c, nil
	}
	text, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the root certificates from %s: %w", o.CAFile, reason(err))
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the root certificates: %s has none in PEM", o.CAFile)
	}
	return c, nil
}

// reason is err without the path, which is in the text already.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
