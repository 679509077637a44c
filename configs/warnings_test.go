package configs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/configs"
)

// Nodes that share certificates and no challenges are warned of, unless no authority's packets have to reach them.
func TestSharedStorageAlone(t *testing.T) {
	const text = `node: {name: a, address: 192.0.2.11}
vips: {www: {addresses: [198.51.100.10], announce: [198.51.100.0/24], https: 443, http: 80}}
tls: {acme: {redis: {server: "192.0.2.6:6379"}MORE}}
origins: {o: {servers: ["http://192.0.2.80"]}}
sites: {s: {hosts: [www.example.com], origin: o}}
fleet: {secret_file: /etc/anyedge/fleet.secretJOIN}
`
	zone := func(name string) string {
		return `, dns: [{zones: [` + name + `], provider: cloudflare, token_file: /etc/anyedge/token}]`
	}
	for _, c := range []struct {
		more, join string
		want       bool
	}{
		{"", "", true},
		{"", `, join: ["192.0.2.12:7946"]`, false},
		{zone("example.com"), "", false},
		{zone("example.net"), "", true},
	} {
		cfg, err := configs.Parse("f", []byte(strings.NewReplacer("MORE", c.more, "JOIN", c.join).Replace(text)))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(cfg.Warnings(), func(w string) bool {
			return strings.Contains(w, "tls.acme.redis shares certificates and no challenges")
		})
		if got != c.want {
			t.Errorf("%q %q: %v", c.more, c.join, cfg.Warnings())
		}
	}
}
