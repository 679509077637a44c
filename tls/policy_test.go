package edgetls_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	edgetls "github.com/anyedge/anyedge/tls"
)

// offered lists what a server takes, of all that crypto/tls can offer as a client, by its names.
func offered(t *testing.T, server *tls.Config) (versions, suites, curves []string) {
	t.Helper()
	takes := func(client *tls.Config) bool {
		client.ServerName = "x.example"
		_, err := handshake(t, server, client)
		return err == nil
	}
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		if takes(&tls.Config{MinVersion: v, MaxVersion: v}) {
			versions = append(versions, tls.VersionName(v))
		}
	}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) && takes(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{s.ID}}) {
			suites = append(suites, s.Name)
		}
	}
	for _, c := range []tls.CurveID{
		tls.CurveP256, tls.CurveP384, tls.CurveP521, tls.X25519, tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024,
	} {
		if takes(&tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{c}}) {
			curves = append(curves, c.String())
		}
	}
	return versions, suites, curves
}

func TestOffered(t *testing.T) {
	ecdsa, rsa := files(t, newKey(t), "x.example"), files(t, rsaKey(), "x.example")
	hybrids := "X25519MLKEM768 SecP256r1MLKEM768 SecP384r1MLKEM1024"
	for name, tt := range map[string]struct {
		adjust                   func(*edgetls.Options)
		versions, suites, curves string
	}{
		"default": {
			func(*edgetls.Options) {}, "TLS 1.2 TLS 1.3",
			"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA " +
				"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 " +
				"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
			"CurveP256 CurveP384 CurveP521 X25519 " + hybrids,
		},
		"1.3": {func(o *edgetls.Options) { o.MinVersion = "1.3" }, "TLS 1.3", "", "CurveP256 CurveP384 CurveP521 X25519 " + hybrids},
		"few": {func(o *edgetls.Options) {
			o.Curves = []string{"x25519", "x25519mlkem768"}
			o.Ciphers = []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}
		}, "TLS 1.2 TLS 1.3", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519 X25519MLKEM768"},
	} {
		o := options(ecdsa, rsa)
		tt.adjust(&o)
		o.Check(func(key, problem string) { t.Errorf("%s: %s: %s", name, key, problem) })
		s, err := edgetls.Load(o)
		must(t, err)
		versions, suites, curves := offered(t, s.Config())
		for what, pair := range map[string][2]string{
			"versions": {strings.Join(versions, " "), tt.versions}, "suites": {strings.Join(suites, " "), tt.suites},
			"curves": {strings.Join(curves, " "), tt.curves},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s:\n got %s\nwant %s", name, what, pair[0], pair[1])
			}
		}
	}
}

func TestPolicyMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		o   edgetls.Options
		key string
	}{
		"an old version":       {edgetls.Options{MinVersion: "1.1"}, "min_version"},
		"a curve of old":       {edgetls.Options{MinVersion: "1.2", Curves: []string{"p224"}}, "curves[0]"},
		"an unsafe suite":      {edgetls.Options{MinVersion: "1.2", Ciphers: []string{"TLS_RSA_WITH_RC4_128_SHA"}}, "ciphers[0]"},
		"a suite of 1.3":       {edgetls.Options{MinVersion: "1.2", Ciphers: []string{"TLS_AES_128_GCM_SHA256"}}, "ciphers[0]"},
		"suites of no version": {edgetls.Options{MinVersion: "1.3", Ciphers: []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}}, "ciphers"},
		"no suite for H2":      {edgetls.Options{MinVersion: "1.2", Ciphers: []string{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"}}, "ciphers"},
		"none for H2 by RSA": {edgetls.Options{MinVersion: "1.2", Ciphers: []string{
			"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
		}}, "ciphers"},
		"a key without a file":  {edgetls.Options{MinVersion: "1.2", ECHKeys: []string{""}}, "ech_keys[0]"},
		"a file that isn't one": {edgetls.Options{MinVersion: "1.2", Certificates: []edgetls.CertificateFiles{{Cert: "x"}}}, "certificates[0].key"},
	} {
		var keys []string
		tt.o.Check(func(key, _ string) { keys = append(keys, key) })
		if !slices.Equal(keys, []string{tt.key}) {
			t.Errorf("%s: mistakes at %q, want %s", name, keys, tt.key)
		}
	}
}

func TestStrictSNI(t *testing.T) {
	o := options(files(t, newKey(t), "x.example"), files(t, newKey(t), "*.y.example"))
	o.StrictSNI = true
	s, err := edgetls.Load(o)
	must(t, err)
	for name, ok := range map[string]bool{"x.example": true, "a.y.example": true, "y.example": false, "z.example": false, "": false} {
		_, err := handshake(t, s.Config(), &tls.Config{ServerName: name})
		if (err == nil) != ok || !ok && !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	o.StrictSNI = false
	must(t, s.Replace(o))
	if got := servedName(t, s, "z.example"); got != "x.example" {
		t.Errorf("no longer strict: %s", got)
	}
}
